//! What `deploy/` holds, checked without a cluster: it parses, its references resolve, and it asks for little.

mod built;
mod guide;
mod permissions;
mod references;
mod shape;
