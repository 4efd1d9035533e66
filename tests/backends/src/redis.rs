//! Redis, with a password.

use std::{net::TcpStream, path::PathBuf, time::Duration};

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
        let port = self.port;
        let ready = || TcpStream::connect(("127.0.0.1", port)).is_ok();
        process.wait_until(Duration::from_secs(30), ready)?;
        self.process = Some(process);
        Ok(())
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
