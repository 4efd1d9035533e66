use std::{net::SocketAddr, path::Path};

use anyhow::Context as _;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use mercurious_cluster::Facts;
use mercurious_runtime::Tasks;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// A registry that wants a name and a password: what it lets through goes to the cluster's own.
pub(crate) struct Gate {
    address: SocketAddr,
    tasks: Tasks,
}

pub(crate) const NAME: &str = "puller";
pub(crate) const PASSWORD: &str = "open-sesame-4711";

/// A request's head is no longer.
const LONGEST_HEAD: usize = 16 * 1024;

impl Gate {
    /// One where the nodes reach it; they are told that it speaks plain HTTP.
    pub(crate) async fn open(facts: &Facts, place: &Path) -> anyhow::Result<Self> {
        let host = facts.host.as_deref().context("no host that pods reach")?;
        let listener = TcpListener::bind((host, 0)).await?;
        let address = listener.local_addr()?;
        let known = place.join("hosts").join(address.to_string());
        std::fs::create_dir_all(&known)?;
        let server = format!(
            "server = \"http://{address}\"\n[host.\"http://{address}\"]\n  capabilities = [\"pull\", \"resolve\"]\n"
        );
        std::fs::write(known.join("hosts.toml"), server)?;
        let (tasks, behind) = (Tasks::new(), facts.push.clone());
        let guests = tasks.clone();
        tasks.spawn("gate", async move {
            while let Ok((guest, _)) = listener.accept().await {
                let behind = behind.clone();
                guests.spawn("guest", async move {
                    // Who hangs up early is none of the gate's business.
                    let _ = admit(guest, &behind).await;
                });
            }
        });
        Ok(Self { address, tasks })
    }

    /// A repository behind it, as pods name it.
    pub(crate) fn repository(&self, path: &str) -> String {
        format!("{}/{path}", self.address)
    }

    /// The manifest of a Secret that opens it with this password.
    pub(crate) fn secret(&self, name: &str, password: &str) -> String {
        let login = BASE64_STANDARD.encode(format!("{NAME}:{password}"));
        let host = self.address;
        let config = format!("{{\"auths\":{{\"{host}\":{{\"auth\":\"{login}\"}}}}}}");
        format!(
            "---\napiVersion: v1\nkind: Secret\nmetadata: {{ name: {name} }}\n\
             type: kubernetes.io/dockerconfigjson\ndata: {{ .dockerconfigjson: {} }}\n",
            BASE64_STANDARD.encode(config)
        )
    }

    pub(crate) async fn close(self) {
        self.tasks.shut_down(std::time::Duration::from_secs(1)).await;
    }
}

/// One request for each connection: the next shows its password anew.
async fn admit(mut guest: TcpStream, behind: &str) -> anyhow::Result<()> {
    let (lines, rest) = head(&mut guest).await?;
    let wanted = format!("Basic {}", BASE64_STANDARD.encode(format!("{NAME}:{PASSWORD}")));
    let mut shown = lines.lines().filter_map(|line| line.split_once(": "));
    let is_known =
        shown.any(|(key, value)| key.eq_ignore_ascii_case("authorization") && value == wanted);
    if !is_known {
        let refusal = "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Basic realm=\"gate\"\r\n\
                       content-length: 0\r\nconnection: close\r\n\r\n";
        guest.write_all(refusal.as_bytes()).await?;
        return Ok(guest.shutdown().await?);
    }
    pass_on(guest, (&lines, &rest), behind).await
}

/// What a request begins with, and what came of its body.
pub(crate) async fn head(
    guest: &mut (impl AsyncRead + Unpin),
) -> anyhow::Result<(String, Vec<u8>)> {
    let mut head = Vec::new();
    let end = loop {
        let read = guest.read_buf(&mut head).await?;
        if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        anyhow::ensure!(read > 0 && head.len() < LONGEST_HEAD, "not a request");
    };
    let rest = head.split_off(end);
    Ok((String::from_utf8_lossy(&head).into_owned(), rest))
}

/// Passes one request on to the registry, by the name that it knows itself by.
pub(crate) async fn pass_on(
    mut guest: impl AsyncRead + AsyncWrite + Unpin,
    (lines, rest): (&str, &[u8]),
    behind: &str,
) -> anyhow::Result<()> {
    let mut registry = TcpStream::connect(behind).await?;
    let once: String = lines
        .lines()
        .filter(|line| !line.is_empty() && !line.to_ascii_lowercase().starts_with("connection:"))
        .filter(|line| !line.to_ascii_lowercase().starts_with("host:"))
        .map(|line| format!("{line}\r\n"))
        .collect();
    registry
        .write_all(format!("{once}host: {behind}\r\nconnection: close\r\n\r\n").as_bytes())
        .await?;
    registry.write_all(rest).await?;
    tokio::io::copy_bidirectional(&mut guest, &mut registry).await?;
    Ok(())
}
