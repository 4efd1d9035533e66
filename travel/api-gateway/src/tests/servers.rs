//! Real servers for tests, each on a port and in a directory of its own.
//!
//! `MERCURIOUS_TEST_MONGODB` names a program that serves MongoDB's wire protocol (`secantusd-py`); Redis is Debian's.
//! Where one is missing the test says so and is not counted as run: it is ignored unless asked for.

use std::{
    net::{Ipv4Addr, TcpListener},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A server that ends with the test.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    _directory: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

fn start(mut command: Command, port: u16, directory: tempfile::TempDir) -> Server {
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut server = Server { child, port, _directory: directory };
    let deadline = Instant::now() + Duration::from_secs(30);
    while std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        assert!(Instant::now() < deadline, "{command:?} does not listen");
        assert!(server.child.try_wait().unwrap().is_none(), "{command:?} ended");
        std::thread::yield_now();
    }
    server
}

/// MongoDB's wire protocol.
pub(crate) fn mongodb() -> Server {
    let (port, directory) = (free_port(), tempfile::tempdir().unwrap());
    let program = program("MERCURIOUS_TEST_MONGODB", "secantusd-py");
    let mut command = Command::new(program);
    command.args(["--port", &port.to_string(), "--cache-size", "64M", "--storage-path"]);
    command.arg(directory.path());
    start(command, port, directory)
}

/// Redis with a password.
pub(crate) fn redis(password: &str) -> Server {
    let (port, directory) = (free_port(), tempfile::tempdir().unwrap());
    let mut command = Command::new(program("MERCURIOUS_TEST_REDIS", "redis-server"));
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
    command.args(["--requirepass", password, "--dir"]).arg(directory.path());
    start(command, port, directory)
}

#[expect(clippy::disallowed_methods, reason = "tests are told by the environment what to start")]
fn program(variable: &str, usual: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| usual.to_owned())
}
