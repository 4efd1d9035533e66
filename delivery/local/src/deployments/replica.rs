use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use mercurious_core::decide::Evidence;
use mercurious_manifests::{Deployment, PreStop};
use mercurious_proxy::{EndpointId, Pool};
use mercurious_runtime::{CancellationToken, Tasks};
use mercurious_sandbox::{
    probe::{ProbeAction, ProbeSpec, Streak, Verdict, probe_once},
    run::{Exit, Replica, ReplicaNetwork, ReplicaSpec, Runner},
};
use nix::sys::signal::Signal;
use tokio::{sync::mpsc, time::Instant};

use super::{
    controller::{Message, Surroundings, backoff},
    log_lines::LogLines,
    template::{NETWORK, Plan, Template},
};

/// One replica, and the next one in its place when it crashes.
pub(super) struct Seat {
    pub(super) number: u64,
    pub(super) revision: String,
    pub(super) stage: Stage,
    pub(super) restarts: u32,
    template: Template,
    name: String,
    /// This life's ports, by container port.
    ports: BTreeMap<u16, u16>,
    life: Option<Life>,
    ready_since: Option<Instant>,
    /// What the last life ended with.
    last_end: Option<String>,
    last_lines: Arc<Mutex<Vec<String>>>,
}

/// What can be done with a running replica.
struct Life {
    replica: Arc<Mutex<Option<Arc<Replica>>>>,
    stop: CancellationToken,
    pre_stop: Option<PreStop>,
    spec: ReplicaSpec,
}

impl Life {
    /// Its preStop, which may take the whole grace; the program is stopped whether or not it succeeds.
    async fn before_stop(&self, runner: &Runner, replica: &Replica, grace: Duration) {
        let mut exited = replica.exited();
        let done = async {
            match &self.pre_stop {
                None => Ok(()),
                Some(PreStop::Sleep(sleep)) => {
                    let wanted = Duration::from_secs(u64::from(sleep.seconds));
                    tokio::time::sleep(wanted.min(grace)).await;
                    Ok(())
                }
                Some(PreStop::Exec(exec)) => {
                    runner.execute(replica, &self.spec, &exec.command, grace).await
                }
            }
        };
        tokio::select! {
            done = done => if let Err(problem) = done {
                tracing::warn!(replica.name = %self.spec.name, problem = %problem, "preStop failed");
            },
            _ = exited.wait_for(Option::is_some) => {}
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Started, not ready yet.
    Starting,
    /// Takes traffic.
    Ready,
    /// Ended by itself; starts again then.
    Crashed { until: Instant, message: String },
    /// Can never start as it is.
    Broken { message: String },
    /// Drained and stopped, for good.
    Leaving,
}

/// What became of a replica.
pub(super) enum Change {
    /// It answers its readiness probe.
    Ready,
    /// It does not any more.
    NotReady,
    /// It ended.
    Ended { message: String },
    /// It could not be started.
    CannotStart { message: String },
    /// It has left for good.
    Gone,
}

type Parts<'a> = (&'a mpsc::Sender<Message>, &'a LogLines, &'a Tasks);

impl Seat {
    pub(super) fn start(
        number: u64,
        revision: &str,
        template: Template,
        deployment: &Deployment,
        surroundings: &Surroundings,
        parts: Parts<'_>,
    ) -> Self {
        let mut seat = Self {
            number,
            revision: revision.to_owned(),
            stage: Stage::Starting,
            restarts: 0,
            template,
            name: format!("{}-{revision}-{number}", deployment.name.name),
            ports: BTreeMap::new(),
            life: None,
            ready_since: None,
            last_end: None,
            last_lines: Arc::default(),
        };
        seat.begin(deployment, surroundings, parts);
        seat
    }

    pub(super) fn start_again(
        &mut self,
        deployment: &Deployment,
        surroundings: &Surroundings,
        parts: Parts<'_>,
    ) {
        self.restarts += 1;
        self.begin(deployment, surroundings, parts);
    }

    fn begin(
        &mut self,
        deployment: &Deployment,
        surroundings: &Surroundings,
        (inbox, lines, tasks): Parts<'_>,
    ) {
        self.stage = Stage::Starting;
        self.ready_since = None;
        let wanted: Vec<u16> = deployment.template.containers[0]
            .ports
            .iter()
            .map(|port| port.container_port)
            .collect();
        self.ports = match free_ports(&wanted) {
            Ok(ports) => ports,
            Err(error) => {
                self.stage = Stage::Broken { message: format!("no free port: {error}") };
                return;
            }
        };
        let plan = match self.template.plan(deployment, surroundings, &self.name, &self.ports) {
            Ok(plan) => plan,
            Err(message) => {
                self.stage = Stage::Broken { message };
                return;
            }
        };
        let stop = CancellationToken::new();
        let replica: Arc<Mutex<Option<Arc<Replica>>>> = Arc::default();
        self.life = Some(Life {
            replica: Arc::clone(&replica),
            stop: stop.clone(),
            pre_stop: plan.pre_stop.clone(),
            spec: plan.spec.clone(),
        });
        self.last_lines = Arc::default();
        let run = Run {
            number: self.number,
            plan,
            stop_signal: self.template.stop_signal(),
            grace: Duration::from_secs(u64::from(deployment.template.termination_grace_seconds)),
            ports: self.ports.clone(),
            surroundings: surroundings.clone(),
            inbox: inbox.clone(),
            lines: lines.clone(),
            last_lines: Arc::clone(&self.last_lines),
            prefix: self.name.clone(),
            revision: self.revision.clone(),
            replica,
            stop,
        };
        tasks.spawn("replica-life", run.run());
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.stage == Stage::Leaving
    }

    /// When it has been ready for long enough, if it is ready.
    pub(super) fn available_at(&self, steady: Duration) -> Option<Instant> {
        match self.stage {
            Stage::Ready => self.ready_since.map(|since| since + steady),
            _ => None,
        }
    }

    pub(super) fn evidence(&self) -> Option<Evidence> {
        match &self.stage {
            Stage::Crashed { message, .. } if self.restarts > 0 => Some(Evidence {
                reason: "CrashLoopBackOff".to_owned(),
                message: format!("{}: {message}", self.name),
            }),
            Stage::Broken { message } => Some(Evidence {
                reason: "CreateContainerConfigError".to_owned(),
                message: format!("{}: {message}", self.name),
            }),
            // Between two lives of a replica that has crashed twice, the verdict stands.
            Stage::Starting if self.restarts > 1 => {
                self.last_end.as_ref().map(|message| Evidence {
                    reason: "CrashLoopBackOff".to_owned(),
                    message: format!("{}: {message}", self.name),
                })
            }
            _ => None,
        }
    }

    pub(super) fn hear(
        &mut self,
        change: Change,
        surroundings: &Surroundings,
        deployment: &Deployment,
    ) {
        if self.is_leaving() {
            return;
        }
        match change {
            Change::Ready => {
                self.stage = Stage::Ready;
                self.ready_since = Some(Instant::now());
                for (pool, address) in self.endpoints(surroundings, deployment) {
                    pool.insert(self.endpoint(), address);
                }
            }
            Change::NotReady => {
                self.stage = Stage::Starting;
                self.ready_since = None;
                for (pool, _) in self.endpoints(surroundings, deployment) {
                    pool.remove(&self.endpoint());
                }
            }
            Change::Ended { message } => {
                for (pool, _) in self.endpoints(surroundings, deployment) {
                    pool.remove(&self.endpoint());
                }
                let hint = self.hint(deployment);
                let message =
                    match self.last_lines.lock().unwrap_or_else(PoisonError::into_inner).last() {
                        Some(line) => format!("{message}; last line: {line}"),
                        None => message,
                    };
                let message = format!("{message}{hint}");
                tracing::warn!(replica.name = %self.name, message = %message, "replica ended by itself");
                self.last_end = Some(message.clone());
                self.ready_since = None;
                self.life = None;
                self.stage =
                    Stage::Crashed { until: Instant::now() + backoff(self.restarts + 1), message };
            }
            Change::CannotStart { message } => {
                self.life = None;
                self.stage = Stage::Broken { message };
            }
            Change::Gone => {}
        }
    }

    /// The remedy where it says itself that its port is taken.
    fn hint(&self, deployment: &Deployment) -> String {
        let lines = self.last_lines.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = lines.iter().any(|line| {
            let line = line.to_ascii_lowercase();
            ["address already in use", "eaddrinuse", "address in use"]
                .iter()
                .any(|it| line.contains(it))
        });
        let private =
            deployment.template.annotations.get(NETWORK).is_some_and(|it| it == "private");
        if taken && !private {
            format!(
                "; replicas share this machine's ports: let it listen on $PORT, or write the annotation \
                 {NETWORK}: private in the pod template"
            )
        } else {
            String::new()
        }
    }

    fn endpoint(&self) -> EndpointId {
        EndpointId::new(&self.name).expect("an object's name with a number is an endpoint's name")
    }

    fn endpoints(
        &self,
        surroundings: &Surroundings,
        deployment: &Deployment,
    ) -> Vec<(Pool, SocketAddr)> {
        let template = &deployment.template;
        surroundings
            .network
            .pools_of(&deployment.name.namespace, &template.labels)
            .into_iter()
            .filter_map(|(pool, port)| {
                let wanted = match port {
                    mercurious_manifests::PortRef::Number(number) => number,
                    mercurious_manifests::PortRef::Name(name) => {
                        let mut ports = template.containers[0].ports.iter();
                        ports.find(|port| port.name.as_ref() == Some(&name))?.container_port
                    }
                };
                let own = *self.ports.get(&wanted)?;
                Some((pool, SocketAddr::from((Ipv4Addr::LOCALHOST, own))))
            })
            .collect()
    }

    /// Takes it out of traffic, lets it finish, and stops it; `Gone` comes when all that is done.
    pub(super) fn leave(
        &mut self,
        deployment: &Deployment,
        surroundings: &Surroundings,
        inbox: &mpsc::Sender<Message>,
        tasks: &Tasks,
    ) {
        if self.is_leaving() {
            return;
        }
        self.stage = Stage::Leaving;
        let grace = Duration::from_secs(u64::from(deployment.template.termination_grace_seconds));
        let endpoint = self.endpoint();
        let pools: Vec<Pool> =
            self.endpoints(surroundings, deployment).into_iter().map(|(pool, _)| pool).collect();
        // From here on no request goes there, whether or not the futures are polled.
        let drains: Vec<_> = pools.iter().map(|pool| pool.drain(&endpoint, grace)).collect();
        let life = self.life.take();
        let signal = self.template.stop_signal();
        let runner = surroundings.runner.clone();
        let (inbox, number) = (inbox.clone(), self.number);
        tasks.spawn("replica-leaving", async move {
            futures::future::join_all(drains).await;
            for pool in pools {
                pool.remove(&endpoint);
            }
            if let Some(life) = life {
                let replica = life.replica.lock().unwrap_or_else(PoisonError::into_inner).clone();
                if let Some(replica) = replica {
                    // Both are done within the one grace.
                    let end = Instant::now() + grace;
                    life.before_stop(&runner, &replica, grace).await;
                    replica.stop(signal, end.saturating_duration_since(Instant::now())).await;
                }
                life.stop.cancel();
            }
            // The controller may have ended.
            let _ = inbox.send(Message::Replica(number, Change::Gone)).await;
        });
    }
}

/// One life of a replica: started, probed, followed to its end.
struct Run {
    number: u64,
    plan: Plan,
    stop_signal: Signal,
    grace: Duration,
    /// Its own ports on this machine, by container port.
    ports: BTreeMap<u16, u16>,
    surroundings: Surroundings,
    inbox: mpsc::Sender<Message>,
    lines: LogLines,
    last_lines: Arc<Mutex<Vec<String>>>,
    prefix: String,
    revision: String,
    replica: Arc<Mutex<Option<Arc<Replica>>>>,
    stop: CancellationToken,
}

impl Run {
    async fn tell(&self, change: Change) {
        // The controller may have ended.
        let _ = self.inbox.send(Message::Replica(self.number, change)).await;
    }

    async fn run(self) {
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

/// A free port of this machine for each container port.
fn free_ports(wanted: &[u16]) -> std::io::Result<BTreeMap<u16, u16>> {
    // All are held until all are found, so that no two are the same.
    let mut held = Vec::new();
    let mut ports = BTreeMap::new();
    for port in wanted {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        ports.insert(*port, listener.local_addr()?.port());
        held.push(listener);
    }
    Ok(ports)
}
