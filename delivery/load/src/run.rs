use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use mercurious_runtime::{CancellationToken, Tasks};
use tokio::{
    sync::Semaphore,
    time::{Instant, MissedTickBehavior, interval_at, timeout},
};

use crate::{
    LoadReport, LoadSettings, TargetError,
    connection::{Connection, Target, ask_afresh, timed_out},
};

/// Fresh requests that may be on the way at once: beyond, sending waits, as file descriptors are finite.
const MOST_FRESH: usize = 512;

/// A source of requests.
#[derive(Debug)]
pub struct Load;

impl Load {
    /// Begins to send to `url`, at once and until [`LoadHandle::stop`].
    pub fn start(url: &str, settings: LoadSettings) -> Result<LoadHandle, TargetError> {
        let sending = Sending {
            target: Target::parse(url)?,
            timeout: settings.timeout,
            report: Arc::new(Mutex::new(LoadReport::new(Instant::now()))),
            tasks: Tasks::new(),
            end: CancellationToken::new(),
        };
        let fresh = settings.fresh_per_second.max(0.0);
        let kept = (settings.total_per_second - fresh).max(0.0);
        if let Some(period) = period(fresh) {
            sending.tasks.spawn("fresh connections", sending.clone().send_afresh(period));
        }
        let connections = settings.keep_alive_connections;
        if let Some(period) = period(kept / connections as f64) {
            for index in 0..connections {
                // Spread over the period, so that they do not all send at one moment.
                let first = period.mul_f64(index as f64 / connections as f64);
                sending.tasks.spawn("kept connection", sending.clone().send_kept(first, period));
            }
        }
        Ok(LoadHandle { sending })
    }
}

fn period(per_second: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(1.0 / per_second).ok().filter(|period| !period.is_zero())
}

/// A load that is being sent.
#[derive(Debug)]
pub struct LoadHandle {
    sending: Sending,
}

impl LoadHandle {
    /// What was seen so far.
    pub fn snapshot(&self) -> LoadReport {
        self.sending.report.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends no more, waits for the answers still due (each has its deadline) and reports.
    pub async fn stop(self) -> LoadReport {
        self.sending.end.cancel();
        self.sending.tasks.shut_down(self.sending.timeout + Duration::from_secs(1)).await;
        self.snapshot()
    }
}

#[derive(Clone, Debug)]
struct Sending {
    target: Target,
    timeout: Duration,
    report: Arc<Mutex<LoadReport>>,
    tasks: Tasks,
    end: CancellationToken,
}

impl Sending {
    fn record(&self, sent: Instant, is_fresh: bool, outcome: Result<String, String>) {
        let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        report.record(sent, is_fresh, outcome);
    }

    /// One request each `period`, each over a connection of its own, not waiting for the one before.
    async fn send_afresh(self, period: Duration) {
        let places = Arc::new(Semaphore::new(MOST_FRESH));
        let mut ticks = interval_at(Instant::now(), period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let place = tokio::select! {
                biased;
                () = self.end.cancelled() => return,
                place = async {
                    ticks.tick().await;
                    places.clone().acquire_owned().await
                } => place,
            };
            let sending = self.clone();
            self.tasks.spawn("fresh request", async move {
                let _place = place;
                let sent = Instant::now();
                let outcome = ask_afresh(&sending.target, &sending.tasks, sending.timeout).await;
                sending.record(sent, true, outcome);
            });
        }
    }

    /// One request each `period` over one connection, which is opened anew when the server has closed it.
    async fn send_kept(self, first: Duration, period: Duration) {
        let mut ticks = interval_at(Instant::now() + first, period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut kept: Option<Connection> = None;
        loop {
            tokio::select! {
                biased;
                () = self.end.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let sent = Instant::now();
            let asked = timeout(self.timeout, async {
                let mut open = kept.take();
                if let Some(connection) = &mut open
                    && !connection.is_open().await
                {
                    open = None;
                }
                let mut connection = match open {
                    Some(connection) => connection,
                    None => Connection::open(&self.target, &self.tasks).await?,
                };
                let version = connection.ask(&self.target).await?;
                Ok((version, connection))
            });
            let outcome = match asked.await {
                Ok(Ok((version, connection))) => {
                    kept = Some(connection);
                    Ok(version)
                }
                Ok(Err(reason)) => Err(reason),
                Err(_) => Err(timed_out(self.timeout)),
            };
            self.record(sent, false, outcome);
        }
    }
}
