use std::sync::LazyLock;

use tokio::signal::unix::{SignalKind, signal};

/// Whether SIGHUP was ignored before anything here changed that.
static HANG_UP_IGNORED: LazyLock<bool> = LazyLock::new(|| {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // SIGHUP is the first signal.
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
});

/// Resolves at the first SIGTERM, SIGINT or SIGHUP. A SIGHUP that whoever started the process lets it ignore, as
/// `nohup` does, stays ignored.
///
/// # Errors
/// If the process may not install signal handlers.
pub async fn terminated() -> std::io::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = if *HANG_UP_IGNORED { None } else { Some(signal(SignalKind::hangup())?) };
    let hung_up = async {
        match &mut hang_up {
            Some(hang_up) => hang_up.recv().await,
            None => std::future::pending().await,
        }
    };
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
        _ = hung_up => "SIGHUP",
    })
}
