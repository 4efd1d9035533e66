use std::path::PathBuf;

use crate::system_root::SystemRoot;

/// Where an image made here keeps them: Debian's place, which most TLS libraries try first.
pub(crate) const IN_IMAGE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Where distributions keep the bundle: the list that Go's `crypto/x509/root_linux.go` tries.
const KNOWN: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The system's bundle of certificate authorities, if it has one.
pub(crate) fn system_bundle(root: &SystemRoot) -> Option<PathBuf> {
    KNOWN.iter().find_map(|path| root.locate_file(path))
}
