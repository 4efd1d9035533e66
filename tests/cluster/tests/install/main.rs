//! What `deploy/` holds, checked without a cluster: it parses, its references resolve, and it asks for little.

#![expect(clippy::unwrap_used, reason = "a test whose manifests cannot be read has failed")]

mod built;
mod guide;
mod permissions;
mod references;
mod shape;
