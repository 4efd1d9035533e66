//! A client of the OCI distribution API: look, resolve, list, push; credentials found as the kubelet finds them.
