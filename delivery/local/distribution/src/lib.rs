//! The embedded OCI registry: an axum router over blobs on disk, streaming in bounded memory.
