//! Makes reproducible OCI images from a program, with no container engine.
