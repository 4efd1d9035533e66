//! A server that speaks MongoDB's protocol, with a user.

use std::{
    io::Write as _,
    net::TcpStream,
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

use crate::{Process, Unavailable, fetched, ports};

/// A server. Dropping it ends it.
#[derive(Debug)]
pub struct Mongo {
    directory: TempDir,
    python: PathBuf,
    port: u16,
    password: String,
    process: Option<Process>,
}

const USER: &str = "app";
const START: Duration = Duration::from_mins(1);

/// Makes the user; name, password and port come on standard input.
const CREATE_USER: &str = "
import sys, pymongo
name, password, port = sys.stdin.read().split()
client = pymongo.MongoClient('127.0.0.1', int(port), directConnection=True, serverSelectionTimeoutMS=30000)
client.admin.command('createUser', name, pwd=password, roles=['root'])
";

impl Mongo {
    /// Starts a server.
    pub fn start() -> Result<Self, Unavailable> {
        Ok(Self::try_start()?)
    }

    fn try_start() -> anyhow::Result<Self> {
        let python = fetched::secantus()?.join("bin/python");
        let directory = TempDir::with_prefix("mercurious-mongo-")?;
        let [port] = ports::free()?;
        let mut mongo =
            Self { directory, python, port, password: ports::password(), process: None };
        // Without a password at first, to make the user.
        mongo.run(false)?;
        mongo.create_user()?;
        if let Some(process) = &mut mongo.process {
            ensure!(process.terminate(START), "the server did not stop: {}", process.last_words());
        }
        mongo.run(true)?;
        Ok(mongo)
    }

    fn run(&mut self, authenticate: bool) -> anyhow::Result<()> {
        let directory = self.directory.path();
        let port = self.port.to_string();
        // The scripts of a virtual environment name the directory that it was made in; this does not.
        let start = "import sys; from secantus.cli import main; sys.exit(main())";
        let mut arguments: Vec<String> = ["-c", start, "--host", "127.0.0.1", "--port", &port]
            .iter()
            .chain(&["--storage-path", "data", "--cache-size", "1G", "--log-level", "WARNING"])
            .map(|argument| (*argument).to_owned())
            .collect();
        if authenticate {
            arguments.push("--auth".to_owned());
        }
        let mut process =
            Process::start(&self.python, &arguments, directory, &directory.join("log"))?;
        let port = self.port;
        process.wait_until(START, || TcpStream::connect(("127.0.0.1", port)).is_ok())?;
        self.process = Some(process);
        Ok(())
    }

    fn create_user(&self) -> anyhow::Result<()> {
        let mut child = Command::new(&self.python)
            .args(["-c", CREATE_USER])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("python does not start")?;
        let mut input = child.stdin.take().context("no input")?;
        write!(input, "{USER} {} {}", self.password, self.port)?;
        drop(input);
        let output = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "the user was not made: {said}");
        Ok(())
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again on what it has stored.
    pub fn start_again(&mut self) -> anyhow::Result<()> {
        self.run(true)
    }

    /// Where it is, with its user and password.
    pub fn url(&self) -> String {
        self.url_with(&self.password)
    }

    /// Where it is, with another password.
    pub fn url_with(&self, password: &str) -> String {
        format!(
            "mongodb://{USER}:{password}@127.0.0.1:{}/?directConnection=true&authSource=admin",
            self.port
        )
    }
}
