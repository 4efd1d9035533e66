use tokio::signal::unix::{SignalKind, signal};

/// Resolves at the first SIGTERM, SIGINT or SIGHUP.
///
/// # Errors
/// If the process may not install signal handlers.
pub async fn terminated() -> std::io::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
        _ = hang_up.recv() => "SIGHUP",
    })
}
