use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use mercurious_runtime::CancellationToken;
use mercurious_sandbox::{
    probe::{ProbeAction, ProbeSpec, Streak, Verdict, probe_once},
    run::{Exit, Replica, ReplicaNetwork},
};
use nix::sys::signal::Signal;
use tokio::sync::mpsc;

use super::{
    controller::{Message, Surroundings},
    log_lines::LogLines,
    replica::Change,
    template::{NETWORK, Plan},
};

/// One life of a replica: started, probed, followed to its end.
pub(super) struct Run {
    pub(super) number: u64,
    pub(super) plan: Plan,
    pub(super) stop_signal: Signal,
    pub(super) grace: Duration,
    /// Its own ports on this machine, by container port.
    pub(super) ports: BTreeMap<u16, u16>,
    pub(super) surroundings: Surroundings,
    pub(super) inbox: mpsc::Sender<Message>,
    pub(super) lines: LogLines,
    pub(super) last_lines: Arc<Mutex<Vec<String>>>,
    pub(super) prefix: String,
    pub(super) revision: String,
    pub(super) replica: Arc<Mutex<Option<Arc<Replica>>>>,
    pub(super) stop: CancellationToken,
}

impl Run {
    async fn tell(&self, change: Change) {
        // The controller may have ended.
        let _ = self.inbox.send(Message::Replica(self.number, change)).await;
    }

    pub(super) async fn run(self) {
        let (lines, last) = (self.lines.clone(), Arc::clone(&self.last_lines));
        let (prefix, revision) = (self.prefix.clone(), self.revision.clone());
        let hear = move |line: String| {
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            if !line.trim().is_empty() {
                if last.len() == LAST_LINES {
                    last.remove(0);
                }
                last.push(line.clone());
            }
            lines.push(&revision, format!("{prefix}: {line}"));
        };
        let replica = match self.surroundings.runner.start(&self.plan.spec, hear).await {
            Ok(replica) => Arc::new(replica),
            Err(error) => {
                return self
                    .tell(Change::CannotStart { message: mercurious_adapters::chain(&error) })
                    .await;
            }
        };
        *self.replica.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&replica));
        if self.stop.is_cancelled() {
            replica.stop(Signal::SIGKILL, Duration::ZERO).await;
            return;
        }
        let mut exited = replica.exited();
        tokio::select! {
            exit = async { exited.wait_for(Option::is_some).await.ok().and_then(|exit| *exit) } => {
                let exit: Option<Exit> = exit;
                if !self.stop.is_cancelled() {
                    let message = exit.map_or_else(|| "ended".to_owned(), |exit| exit.to_string());
                    self.tell(Change::Ended { message }).await;
                }
            }
            () = self.stop.cancelled() => {}
            message = self.probe(&replica) => {
                // Liveness: what does not live is ended, and started again like a crash.
                replica.stop(self.stop_signal, self.grace).await;
                self.tell(Change::Ended { message }).await;
            }
            message = self.elsewhere(&replica) => {
                replica.stop(Signal::SIGKILL, Duration::ZERO).await;
                self.tell(Change::CannotStart { message }).await;
            }
        }
    }

    /// Asks the probes for as long as the replica lives. Returns only when it must be ended.
    async fn probe(&self, replica: &Replica) -> String {
        let client = match reqwest::Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .build()
        {
            Ok(client) => client,
            Err(error) => return format!("probes cannot be asked: {error}"),
        };
        if let Some(startup) = &self.plan.startup
            && let Err(message) = self
                .until((&client, replica), startup, Verdict::Yes, startup.failure_threshold)
                .await
        {
            return format!("startup probe: {message}");
        }
        let readiness = async {
            let Some(spec) = &self.plan.readiness else {
                self.tell(Change::Ready).await;
                return std::future::pending::<()>().await;
            };
            tokio::time::sleep(spec.initial_delay).await;
            let mut streak = Streak::default();
            let mut ready = false;
            loop {
                let verdict = streak.count(self.ask((&client, replica), spec).await.is_ok(), spec);
                if verdict == Verdict::Yes && !ready {
                    ready = true;
                    self.tell(Change::Ready).await;
                } else if verdict == Verdict::No && ready {
                    ready = false;
                    self.tell(Change::NotReady).await;
                }
                // A replica that starts is asked often: nothing is gained by being late.
                let period =
                    if ready { spec.period } else { spec.period.min(Duration::from_millis(100)) };
                tokio::time::sleep(period).await;
            }
        };
        let liveness = async {
            let Some(spec) = &self.plan.liveness else {
                return std::future::pending::<String>().await;
            };
            match self.until((&client, replica), spec, Verdict::No, u32::MAX).await {
                Ok(message) | Err(message) => format!("liveness probe: {message}"),
            }
        };
        tokio::select! {
            () = readiness => String::new(),
            message = liveness => message,
        }
    }

    /// Asks until the verdict; an error after so many failures in a row.
    async fn until(
        &self,
        whom: (&reqwest::Client, &Replica),
        spec: &ProbeSpec,
        wanted: Verdict,
        failures: u32,
    ) -> Result<String, String> {
        tokio::time::sleep(spec.initial_delay).await;
        let mut streak = Streak::default();
        let mut failed = 0;
        loop {
            let answer = self.ask(whom, spec).await;
            failed = if answer.is_ok() { 0 } else { failed + 1 };
            let message = answer.as_ref().err().cloned().unwrap_or_default();
            if streak.count(answer.is_ok(), spec) == wanted {
                return Ok(message);
            }
            if failed >= failures.max(1) {
                return Err(message);
            }
            tokio::time::sleep(spec.period).await;
        }
    }

    async fn ask(
        &self,
        (client, replica): (&reqwest::Client, &Replica),
        spec: &ProbeSpec,
    ) -> Result<(), String> {
        if let ProbeAction::Tcp { port } = spec.action
            && self.plan.spec.network != ReplicaNetwork::Shared
        {
            // The relay would answer for it.
            let inner = self.ports.iter().find(|(_, own)| **own == port).map_or(port, |it| *it.0);
            let listens = replica.ports().contains(&inner);
            return listens.then_some(()).ok_or_else(|| format!("nothing listens on port {inner}"));
        }
        let runner = &self.surroundings.runner;
        probe_once(client, spec, |argv, deadline| async move {
            runner.execute(replica, &self.plan.spec, &argv, deadline).await
        })
        .await
    }

    /// Whether it listens on a container port of this machine's network in place of its own port: nothing will ever
    /// reach it there, and the next replica cannot have that port. Ends only where that is so.
    async fn elsewhere(&self, replica: &Replica) -> String {
        if self.plan.spec.network != ReplicaNetwork::Shared || self.ports.is_empty() {
            return std::future::pending().await;
        }
        let mut seen = 0;
        loop {
            tokio::time::sleep(LOOK_FOR_PORTS).await;
            let open = replica.ports();
            if self.ports.values().any(|own| open.contains(own)) {
                return std::future::pending().await;
            }
            // One look may fall between the opening of two ports.
            match self.ports.iter().find(|(port, _)| open.contains(port)) {
                Some((port, own)) if seen > 0 => return fixed_port(*port, *own),
                Some(_) => seen += 1,
                None => seen = 0,
            }
        }
    }
}

/// So many of a replica's newest lines are looked at when it ends.
const LAST_LINES: usize = 20;
/// Between two looks for the ports of a replica that listens on none of its own yet.
const LOOK_FOR_PORTS: Duration = Duration::from_millis(250);

fn fixed_port(port: u16, own: u16) -> String {
    format!(
        "listens on port {port} of this machine and not on its own port {own}, which the variable PORT names; \
         let it listen on $PORT, or write the annotation {NETWORK}: private in the pod template"
    )
}
