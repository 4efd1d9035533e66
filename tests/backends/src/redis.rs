//! Redis, with a password.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::PathBuf,
    time::Duration,
};

use tempfile::TempDir;

use crate::{Process, Unavailable, fetched, kafka::write_secret, ports};

/// A server. Dropping it ends it.
#[derive(Debug)]
pub struct Redis {
    directory: TempDir,
    program: PathBuf,
    port: u16,
    password: String,
    process: Option<Process>,
}

impl Redis {
    /// Starts a server that keeps what it was told across restarts.
    pub fn start() -> Result<Self, Unavailable> {
        Ok(Self::try_start()?)
    }

    fn try_start() -> anyhow::Result<Self> {
        let program = fetched::installed("redis-server")?;
        let directory = TempDir::with_prefix("mercurious-redis-")?;
        let [port] = ports::free()?;
        let password = ports::password();
        let settings = format!(
            "bind 127.0.0.1\nport {port}\nrequirepass {password}\nappendonly yes\n\
             appendfsync everysec\nsave \"\"\ndir {}\n",
            directory.path().display()
        );
        write_secret(&directory.path().join("redis.conf"), &settings)?;
        let mut redis = Self { directory, program, port, password, process: None };
        redis.start_again()?;
        Ok(redis)
    }

    /// Starts it again on what it has stored.
    pub fn start_again(&mut self) -> anyhow::Result<()> {
        let directory = self.directory.path();
        let arguments = ["redis.conf".to_owned()];
        let mut process =
            Process::start(&self.program, &arguments, directory, &directory.join("log"))?;
        process.wait_until(Duration::from_secs(30), || self.answers())?;
        self.process = Some(process);
        Ok(())
    }

    /// Whether it has read what it stored, and answers.
    fn answers(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        let mut answer = String::new();
        stream.set_read_timeout(Some(Duration::from_secs(5))).is_ok()
            && write!(stream, "AUTH {}\r\nPING\r\nQUIT\r\n", self.password).is_ok()
            && stream.read_to_string(&mut answer).is_ok()
            && answer.contains("PONG")
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Where it is, with its password.
    pub fn url(&self) -> String {
        self.url_with(&self.password)
    }

    /// Where it is, with another password.
    pub fn url_with(&self, password: &str) -> String {
        format!("redis://:{password}@127.0.0.1:{}/", self.port)
    }
}
