//! Free ports.

use std::net::TcpListener;

use anyhow::Context as _;

/// Ports of loopback that are free now.
pub(crate) fn free<const N: usize>() -> anyhow::Result<[u16; N]> {
    let mut held = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port")?;
        *port = listener.local_addr()?.port();
        // All at once, so that no port comes twice.
        held.push(listener);
    }
    Ok(ports)
}

/// A word that nobody guesses.
pub(crate) fn password() -> String {
    (0..24).map(|_| fastrand::alphanumeric()).collect()
}
