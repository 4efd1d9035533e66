use std::{net::SocketAddr, time::Duration};

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
    hooks: SocketAddr,
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
        let hooks = free_address()?;
        home.arguments = receivers(&home, hooks)?;
        home.resume().await?;
        Ok(Self { home, registry, hooks, tasks, _place: place })
    }

    /// Sends a notification as a registry would; how long the answer took.
    pub async fn notify(&self) -> anyhow::Result<Duration> {
        let sent = Instant::now();
        let mut stream = TcpStream::connect(self.hooks).await?;
        let body = format!(r#"{{"image":"{}:latest"}}"#, self.home.repository());
        let request = format!(
            "POST /hooks/it/{TOKEN} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            self.hooks,
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        ensure!(answer.starts_with("HTTP/1.1 202"), "the notification was answered: {answer}");
        Ok(sent.elapsed())
    }
}

impl Drop for ToldHome {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

/// One receiver for the watched repository, as arguments of `up`.
fn receivers(home: &Home, hooks: SocketAddr) -> anyhow::Result<Vec<String>> {
    let token = home.place().join("token");
    std::fs::write(&token, TOKEN)?;
    let file = home.place().join("receivers.yaml");
    let receiver = format!(
        "receivers: [{{ name: it, type: generic, proof: path, secret: {{ file: {} }}, repositories: [{}] }}]",
        token.display(),
        home.repository()
    );
    std::fs::write(&file, receiver)?;
    let file = file.to_str().context("a path that is text")?.to_owned();
    Ok(vec!["--hooks-listen".to_owned(), hooks.to_string(), "--hooks".to_owned(), file])
}
