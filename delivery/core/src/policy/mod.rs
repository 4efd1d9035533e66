//! Which tag or release of a repository is the newest, and why the others are not.
