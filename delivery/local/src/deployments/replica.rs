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
use mercurious_sandbox::run::{Replica, ReplicaSpec, Runner};
use tokio::{sync::mpsc, time::Instant};

use super::{
    controller::{Message, Surroundings, backoff},
    log_lines::LogLines,
    run::Run,
    template::{NETWORK, Template},
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
