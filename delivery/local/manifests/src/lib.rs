//! Reads the Kubernetes manifests that one machine understands; refuses by name what it does not.
