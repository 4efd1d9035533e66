//! The TLS configuration: rustls with ring, the system's roots and those that were given.

use std::{fmt, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

/// Why the TLS configuration cannot be made.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TlsError {
    /// The CA that was given is not PEM, or holds no certificate.
    #[error("the extra CA is not a PEM certificate: {problem}")]
    ExtraCa {
        /// What is wrong.
        problem: String,
    },
    /// The certificate to show, or its key, is not PEM.
    #[error("the client certificate cannot be used: {problem}")]
    ClientCertificate {
        /// What is wrong; never any of its content.
        problem: String,
    },
    /// rustls refuses the configuration.
    #[error("TLS cannot be set up")]
    Configuration(#[source] rustls::Error),
}

/// What a client shows to registries that want to know who asks.
#[derive(Clone)]
pub struct ClientCertificate {
    /// The certificate with those that vouch for it, in PEM.
    pub certificate: Vec<u8>,
    /// Its key, in PEM.
    pub key: Vec<u8>,
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClientCertificate(…)")
    }
}

pub(crate) fn configuration(
    extra_cas: &[Vec<u8>],
    own: Option<&ClientCertificate>,
) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let mut extra = Vec::new();
    for pem in extra_cas {
        let before = extra.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            extra.push(
                certificate.map_err(|error| TlsError::ExtraCa { problem: error.to_string() })?,
            );
        }
        if extra.len() == before {
            return Err(TlsError::ExtraCa { problem: "it holds no certificate".to_owned() });
        }
    }
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Configuration)?;
    // An image from scratch has no system roots: plain registries must work there all the same, and TLS ones
    // then fail with a message of their own.
    let verifier =
        rustls_platform_verifier::Verifier::new_with_extra_roots(extra.clone(), provider);
    let verified = match verifier {
        Ok(verifier) => builder
            .dangerous() // rustls' word for any verifier but its own; this one is rustls' own project's
            .with_custom_certificate_verifier(Arc::new(verifier)),
        Err(error) => {
            tracing::warn!(error = %error, "no system certificates; tls works with given ones only");
            builder.with_root_certificates(given(extra)?)
        }
    };
    let mut configuration = match own {
        None => verified.with_no_client_auth(),
        Some(own) => {
            let wrong = |problem: String| TlsError::ClientCertificate { problem };
            let chain: Vec<_> = CertificateDer::pem_slice_iter(&own.certificate)
                .collect::<Result<_, _>>()
                .map_err(|error| wrong(error.to_string()))?;
            let key = PrivateKeyDer::from_pem_slice(&own.key)
                .map_err(|error| wrong(format!("its key: {error}")))?;
            verified.with_client_auth_cert(chain, key).map_err(|error| wrong(error.to_string()))?
        }
    };
    // A configuration of one's own is taken as it is: without this no connection would speak HTTP/2.
    configuration.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(configuration)
}

fn given(extra: Vec<CertificateDer<'static>>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in extra {
        roots.add(certificate).map_err(TlsError::Configuration)?;
    }
    Ok(roots)
}
