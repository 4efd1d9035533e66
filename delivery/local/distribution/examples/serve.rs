//! Serves the embedded registry in the directory given, on a port of the system's choice, which it prints; stops at
//! a signal. The tests that measure or kill a registry run this.

use std::{io::Write, net::Ipv4Addr, path::PathBuf};

use mercurious_distribution::{Distribution, Settings, serve};
use mercurious_runtime::{CancellationToken, Tasks, terminated};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory =
        std::env::args_os().nth(1).map(PathBuf::from).ok_or("usage: serve DIRECTORY")?;
    let distribution = Distribution::open(&directory, Settings::default())?;
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    let stopping = CancellationToken::new();
    let tasks = Tasks::new();
    let stop = stopping.clone();
    tasks.spawn("signals", async move {
        if terminated().await.is_ok() {
            stop.cancel();
        }
    });
    Ok(serve(listener, distribution, stopping).await?)
}
