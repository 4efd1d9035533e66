use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::Context as _;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use mercurious_cluster::Facts;
use mercurious_runtime::Tasks;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    RootCertStore, ServerConfig, crypto::ring, pki_types::PrivateKeyDer,
    server::WebPkiClientVerifier,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use crate::gate::{head, pass_on};

/// No name server knows it: only the vault's proxy does.
pub(crate) const HOST: &str = "registry.invalid";
pub(crate) const NAME: &str = "courier";
pub(crate) const PASSWORD: &str = "under-the-mat-0042";

/// The cluster's registry behind TLS of a private authority that wants to see a certificate, and behind a forward proxy
/// that wants to hear a password.
pub(crate) struct Vault {
    proxy: SocketAddr,
    secret: String,
    passed: Arc<AtomicUsize>,
    tasks: Tasks,
}

impl Vault {
    pub(crate) async fn open(facts: &Facts) -> anyhow::Result<Self> {
        let (authority, key) = (authority()?, KeyPair::generate()?);
        let root = authority.self_signed(&key)?;
        let issuer = Issuer::new(authority, key);
        let server = Signed::by(&issuer, HOST)?;
        let client = Signed::by(&issuer, "mercurious")?;

        let mut roots = RootCertStore::empty();
        roots.add(root.der().clone())?;
        let provider = Arc::new(ring::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()?;
        let private = PrivateKeyDer::try_from(server.key.serialize_der())
            .map_err(|problem| anyhow::anyhow!("{problem}"))?;
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![server.certificate.der().clone()], private)?;

        let tasks = Tasks::new();
        let registry = TcpListener::bind("127.0.0.1:0").await?;
        let behind = registry.local_addr()?;
        serve_registry(&tasks, registry, TlsAcceptor::from(Arc::new(config)), facts.push.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let proxy = listener.local_addr()?;
        let passed = Arc::new(AtomicUsize::new(0));
        serve_proxy(&tasks, listener, behind, Arc::clone(&passed));
        let encode = |text: String| BASE64_STANDARD.encode(text);
        let secret = format!(
            "---\napiVersion: v1\nkind: Secret\nmetadata: {{ name: certificates }}\ndata:\n  \
             ca.crt: {}\n  tls.crt: {}\n  tls.key: {}\n",
            encode(root.pem()),
            encode(client.certificate.pem()),
            encode(client.key.serialize_pem()),
        );
        Ok(Self { proxy, secret, passed, tasks })
    }

    /// The Secrets `certificates` and `proxy`, and `wrong` with another password.
    pub(crate) fn secrets(&self) -> String {
        let proxy = |name: &str, password: &str| {
            format!(
                "---\napiVersion: v1\nkind: Secret\nmetadata: {{ name: {name} }}\nstringData:\n  \
                 address: http://{}\n  username: {NAME}\n  password: {password}\n",
                self.proxy
            )
        };
        [self.secret.clone(), proxy("proxy", PASSWORD), proxy("wrong", "not-there")].concat()
    }

    /// Connections that the proxy let through.
    pub(crate) fn passed(&self) -> usize {
        self.passed.load(Ordering::Relaxed)
    }

    pub(crate) async fn close(self) {
        self.tasks.shut_down(std::time::Duration::from_secs(1)).await;
    }
}

struct Signed {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Signed {
    fn by(issuer: &Issuer<'_, KeyPair>, name: &str) -> anyhow::Result<Self> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new([name.to_owned()])?.signed_by(&key, issuer)?;
        Ok(Self { certificate, key })
    }
}

fn authority() -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Ok(params)
}

fn serve_registry(tasks: &Tasks, listener: TcpListener, tls: TlsAcceptor, behind: String) {
    let guests = tasks.clone();
    tasks.spawn("vault", async move {
        while let Ok((guest, _)) = listener.accept().await {
            let (tls, behind) = (tls.clone(), behind.clone());
            guests.spawn("vault's guest", async move {
                // Who shows no certificate is not let in.
                let Ok(mut guest) = tls.accept(guest).await else { return };
                let Ok((lines, rest)) = head(&mut guest).await else { return };
                // Who hangs up early is none of the vault's business.
                let _ = pass_on(guest, (&lines, &rest), &behind).await;
            });
        }
    });
}

fn serve_proxy(tasks: &Tasks, listener: TcpListener, behind: SocketAddr, passed: Arc<AtomicUsize>) {
    let guests = tasks.clone();
    tasks.spawn("proxy", async move {
        while let Ok((guest, _)) = listener.accept().await {
            let passed = Arc::clone(&passed);
            guests.spawn("proxy's guest", async move {
                // Who hangs up early is none of the proxy's business.
                let _ = pass(guest, behind, &passed).await;
            });
        }
    });
}

/// `CONNECT registry.invalid:443` with the right password, and nothing else.
async fn pass(guest: TcpStream, behind: SocketAddr, passed: &AtomicUsize) -> anyhow::Result<()> {
    let mut guest = BufReader::new(guest);
    let (mut lines, mut line) = (Vec::new(), String::new());
    while guest.read_line(&mut line).await? > 2 {
        lines.push(std::mem::take(&mut line));
    }
    let wanted = format!("Basic {}", BASE64_STANDARD.encode(format!("{NAME}:{PASSWORD}")));
    let first = lines.first().context("no request")?;
    let is_known = lines.iter().filter_map(|line| line.split_once(": ")).any(|(key, value)| {
        key.eq_ignore_ascii_case("proxy-authorization") && value.trim() == wanted
    });
    let answer = match (is_known, first.starts_with(&format!("CONNECT {HOST}:443 "))) {
        (true, true) => "HTTP/1.1 200 OK\r\n\r\n",
        (true, false) => "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n",
        (false, _) => {
            "HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic realm=\"mat\"\r\n\
             content-length: 0\r\n\r\n"
        }
    };
    guest.write_all(answer.as_bytes()).await?;
    if answer.contains("200") {
        passed.fetch_add(1, Ordering::Relaxed);
        let mut registry = TcpStream::connect(behind).await?;
        copy_bidirectional(&mut guest, &mut registry).await?;
    }
    Ok(())
}
