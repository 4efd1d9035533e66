//! Images that this project did not build, pushed by the clients that people use, in a running `mercurious up`.
//!
//! Needs Debian's packages bubblewrap, buildah, skopeo and busybox-static, and for the one test nginx; what is not
//! installed is named, and its test skipped.

#![expect(clippy::unwrap_used, reason = "tests, and what only they call")]
#![expect(clippy::print_stdout, reason = "a skipped test says why")]

mod hostile;
mod images;
mod machine;
mod rollouts;
