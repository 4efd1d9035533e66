//! TLS: a given CA is trusted, an unknown one is not.

use std::sync::Arc;

use mercurious_core::image::Digest;
use mercurious_registry::Keychain;
use rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer};

use crate::{
    liar::{Liar, Told},
    support::{builder, repository},
};

fn server() -> (Liar, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let liar = Liar::with_tls(
        |_| Told::ok("").header("docker-content-digest", Digest::of(b"x")),
        Arc::new(tls),
    );
    (liar, made.cert.pem())
}

#[tokio::test]
async fn r60_a_given_ca_is_trusted_and_an_unknown_one_is_not() {
    let (liar, pem) = server();
    let trusting = builder().tls(liar.host.clone()).extra_ca(pem).build().unwrap();
    trusting.head(&repository(&liar), "latest", &Keychain::anonymous()).await.unwrap();
    let doubting = builder().tls(liar.host.clone()).build().unwrap();
    let error =
        doubting.head(&repository(&liar), "latest", &Keychain::anonymous()).await.unwrap_err();
    assert_eq!(error.category(), "tls", "{error:?}");
    assert!(!error.is_retryable());
    assert!(error.to_string().contains(&liar.host), "{error}");
    assert_eq!(liar.asked().len(), 1);
}

#[test]
fn a_ca_that_is_none_is_refused_when_the_client_is_made() {
    for pem in ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        assert!(builder().extra_ca(pem).build().is_err(), "{pem}");
    }
}
