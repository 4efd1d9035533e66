use mercurious_core::image::Digest;
use mercurious_registry::{ClientCertificate, ForwardProxy, ProxyError, RegistryClientBuilder};

/// How a registry is reached, where that is not as any other is.
#[derive(Clone, Debug, Default)]
pub struct Wiring {
    /// Certificate authorities (PEM) that are trusted beside the system's.
    pub authority: Option<Vec<u8>>,
    /// What is shown to a registry that asks who we are.
    pub certificate: Option<ClientCertificate>,
    /// The proxy that is asked instead.
    pub proxy: Option<ForwardProxy>,
    /// Tells this wiring from others.
    fingerprint: Option<Digest>,
}

/// Why a Secret says nothing about how a registry is reached. Its content is never part of the message.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum WiringError {
    /// Nothing that is looked for.
    #[error("it has neither `ca.crt` nor `tls.crt` with `tls.key`")]
    NoCertificate,
    /// One without the other.
    #[error("it has one of `tls.crt` and `tls.key`, and both are needed")]
    HalfACertificate,
    /// No address.
    #[error("it has no `address`")]
    NoAddress,
    /// Not text.
    #[error("its `{0}` is not text")]
    NotText(&'static str),
    /// The address means nothing.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
}

impl Wiring {
    /// Adds what a Secret of `certSecretRef` holds: `ca.crt`, `tls.crt` and `tls.key`, or the names that older ones have.
    pub fn with_certificates(
        mut self,
        get: impl Fn(&str) -> Option<Vec<u8>>,
    ) -> Result<Self, WiringError> {
        let either = |name: &str, older: &str| get(name).or_else(|| get(older));
        let authority = either("ca.crt", "caFile");
        let own = (either("tls.crt", "certFile"), either("tls.key", "keyFile"));
        self.certificate = match own {
            (Some(certificate), Some(key)) => Some(ClientCertificate { certificate, key }),
            (None, None) if authority.is_some() => None,
            (None, None) => return Err(WiringError::NoCertificate),
            _ => return Err(WiringError::HalfACertificate),
        };
        let mut all = authority.clone().unwrap_or_default();
        if let Some(own) = &self.certificate {
            all.extend_from_slice(&own.certificate);
            all.extend_from_slice(&own.key);
        }
        self.authority = authority;
        Ok(self.marked(&all))
    }

    /// Adds what a Secret of `proxySecretRef` holds: `address`, and `username` with `password`.
    pub fn with_proxy(
        mut self,
        get: impl Fn(&str) -> Option<Vec<u8>>,
    ) -> Result<Self, WiringError> {
        let text = |name: &'static str| {
            let bytes = get(name);
            bytes.map(|bytes| String::from_utf8(bytes).map_err(|_| WiringError::NotText(name)))
        };
        let address = text("address").transpose()?.ok_or(WiringError::NoAddress)?;
        let (name, password) = (text("username").transpose()?, text("password").transpose()?);
        let mark = format!("{address}\0{name:?}\0{password:?}");
        let login = name.map(|name| (name, password.unwrap_or_default()));
        self.proxy = Some(ForwardProxy::new(&address, login)?);
        Ok(self.marked(mark.as_bytes()))
    }

    pub(crate) fn fingerprint(&self) -> Option<&Digest> {
        self.fingerprint.as_ref()
    }

    pub(crate) fn build(self, builder: RegistryClientBuilder) -> RegistryClientBuilder {
        let builder = match self.authority {
            Some(authority) => builder.extra_ca(authority),
            None => builder,
        };
        let builder = match self.certificate {
            Some(certificate) => builder.client_certificate(certificate),
            None => builder,
        };
        match self.proxy {
            Some(proxy) => builder.proxy(proxy),
            None => builder,
        }
    }

    fn marked(mut self, what: &[u8]) -> Self {
        let before = self.fingerprint.take().map(|before| before.to_string()).unwrap_or_default();
        self.fingerprint = Some(Digest::of(&[before.as_bytes(), what].concat()));
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_secret_names_authorities_a_certificate_or_both() {
        let read = |entries: &[(&str, &str)]| {
            let data: BTreeMap<&str, &str> = entries.iter().copied().collect();
            Wiring::default()
                .with_certificates(|key| data.get(key).map(|it| it.as_bytes().to_vec()))
        };
        assert!(read(&[("ca.crt", "a")]).unwrap().certificate.is_none());
        assert!(read(&[("caFile", "a")]).unwrap().authority.is_some());
        assert!(read(&[("tls.crt", "c"), ("tls.key", "k")]).unwrap().authority.is_none());
        let all = read(&[("certFile", "c"), ("keyFile", "k"), ("caFile", "a")]).unwrap();
        assert!(all.certificate.is_some() && all.authority.is_some());
        assert_eq!(read(&[]).unwrap_err(), WiringError::NoCertificate);
        assert_eq!(read(&[("tls.crt", "c")]).unwrap_err(), WiringError::HalfACertificate);
        assert_eq!(
            read(&[("ca.crt", "a"), ("tls.key", "k")]).unwrap_err(),
            WiringError::HalfACertificate
        );
        let other = read(&[("ca.crt", "b")]).unwrap();
        assert_ne!(other.fingerprint(), read(&[("ca.crt", "a")]).unwrap().fingerprint());
    }

    #[test]
    fn a_secret_names_a_proxy() {
        let read = |entries: &[(&str, &str)]| {
            let data: BTreeMap<&str, &str> = entries.iter().copied().collect();
            Wiring::default().with_proxy(|key| data.get(key).map(|it| it.as_bytes().to_vec()))
        };
        assert!(read(&[("address", "http://proxy.lan:3128")]).unwrap().proxy.is_some());
        assert_eq!(read(&[("username", "u")]).unwrap_err(), WiringError::NoAddress);
        let odd = read(&[("address", "ftp://u:word@proxy.test")]).unwrap_err();
        assert!(!odd.to_string().contains("word"), "{odd}");
    }
}
