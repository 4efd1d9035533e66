use std::{net::SocketAddr, path::Path, time::Duration};

use anyhow::{Context as _, ensure};
use mercurious_distribution::Distribution;
use mercurious_runtime::Tasks;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::Instant,
};

use crate::{Home, Program, Wish, free_address};

const TOKEN: &str = "a-token-for-trials-only-0123";

/// A home whose images are in another registry, and which hears of pushes by notifications.
pub struct ToldHome {
    /// The home.
    pub home: Home,
    /// The other registry.
    pub registry: Distribution,
    receiver: ToldReceiver,
    tasks: Tasks,
    _place: TempDir,
}

impl ToldHome {
    /// It is looked at by itself after this.
    pub const INTERVAL: &str = "24h";

    /// Starts the registry, and a home with one receiver for the watched repository.
    pub async fn start(program: &Program, wish: Wish) -> anyhow::Result<Self> {
        let place = tempfile::tempdir()?;
        let settings = mercurious_distribution::Settings::default();
        let registry = Distribution::open(place.path(), settings).context("a registry")?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let tasks = Tasks::new();
        let (served, stopping) = (registry.clone(), tasks.stopping());
        tasks.spawn("registry", async move {
            // Its end is the end of the trial.
            let _ = mercurious_distribution::serve(listener, served, stopping).await;
        });
        let wish = Wish { registry: Some(address), interval: Self::INTERVAL, ..wish };
        let mut home = Home::new(program, wish)?;
        let receiver = ToldReceiver::write(home.place(), &home.repository())?;
        home.arguments = receiver.arguments();
        home.resume().await?;
        Ok(Self { home, registry, receiver, tasks, _place: place })
    }

    /// Sends a notification as a registry would; how long the answer took.
    pub async fn notify(&self) -> anyhow::Result<Duration> {
        self.receiver.notify().await
    }
}

impl Drop for ToldHome {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

/// A port that hears of pushes into one repository, as any program that receives is told of it.
#[derive(Clone, Debug)]
pub struct ToldReceiver {
    address: SocketAddr,
    repository: String,
    file: String,
}

impl ToldReceiver {
    /// Writes the settings of one for this repository into a directory; nobody listens yet.
    pub fn write(place: &Path, repository: &str) -> anyhow::Result<Self> {
        let token = place.join("token");
        std::fs::write(&token, TOKEN)?;
        let file = place.join("receivers.yaml");
        let receiver = format!(
            "receivers: [{{ name: it, type: generic, proof: path, secret: {{ file: {} }}, repositories: ['{repository}'] }}]",
            token.display(),
        );
        std::fs::write(&file, receiver)?;
        Ok(Self {
            address: free_address()?,
            repository: repository.to_owned(),
            file: file.to_str().context("a path that is text")?.to_owned(),
        })
    }

    /// The arguments of the program that is to receive.
    pub fn arguments(&self) -> Vec<String> {
        let address = self.address.to_string();
        vec!["--hooks-listen".to_owned(), address, "--hooks".to_owned(), self.file.clone()]
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a notification as a registry would; how long the answer took.
    pub async fn notify(&self) -> anyhow::Result<Duration> {
        let sent = Instant::now();
        let mut stream = TcpStream::connect(self.address).await?;
        let body = format!(r#"{{"image":"{}:latest"}}"#, self.repository);
        let request = format!(
            "POST /hooks/it/{TOKEN} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        ensure!(answer.starts_with("HTTP/1.1 202"), "the notification was answered: {answer}");
        Ok(sent.elapsed())
    }
}
