use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use mercurious_core::{
    decide::Evidence,
    image::{Digest, ImageReference},
    resources::ObjectName,
};
use mercurious_manifests::{Deployment, Manifests};
use mercurious_runtime::Tasks;
use mercurious_sandbox::run::Runner;
use tokio::{
    sync::{broadcast, mpsc, watch},
    time::Instant,
};

use super::{
    Reported, Wanted,
    log_lines::LogLines,
    replica::{Change, Seat, Stage},
    template::Template,
};
use crate::{
    network::Network,
    pull::{PullError, PulledImage, Puller},
};

/// What all controllers share.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) manifests: Arc<Manifests>,
    pub(crate) network: Network,
    pub(crate) puller: Puller,
    pub(crate) runner: Runner,
    pub(crate) replicas: PathBuf,
    pub(crate) logs: PathBuf,
    pub(crate) volumes: PathBuf,
}

/// Keeps the replicas of one Deployment as wanted.
pub(crate) struct Controller {
    deployment: Deployment,
    surroundings: Surroundings,
    wanted: watch::Receiver<Wanted>,
    reported: watch::Sender<Reported>,
    changes: broadcast::Sender<ObjectName>,
    lines: LogLines,
    tasks: Tasks,
    /// Replicas tell here what became of them.
    inbox: (mpsc::Sender<Message>, mpsc::Receiver<Message>),
    seats: Vec<Seat>,
    image: ImageState,
    numbers: u64,
}

pub(super) enum Message {
    /// Something became of a replica.
    Replica(u64, Change),
    /// The pull for this image field ended.
    Pulled(String, Box<Result<PulledImage, PullError>>),
}

/// The image of the newest template.
enum ImageState {
    Pulling { image: String, failures: u32, last: String },
    Ready { image: String, pulled: PulledImage },
    Waiting { image: String, failures: u32, until: Instant, message: String },
}

impl ImageState {
    fn image(&self) -> &str {
        match self {
            Self::Pulling { image, .. }
            | Self::Ready { image, .. }
            | Self::Waiting { image, .. } => image,
        }
    }
}

/// The first wait after a failed pull or a second crash; doubles up to [`LONGEST_BACKOFF`].
const BACKOFF: Duration = Duration::from_millis(500);
const LONGEST_BACKOFF: Duration = Duration::from_mins(5);

impl Controller {
    #[expect(clippy::too_many_arguments, reason = "the channels of one place that calls it")]
    pub(crate) fn new(
        deployment: Deployment,
        surroundings: Surroundings,
        wanted: watch::Receiver<Wanted>,
        reported: watch::Sender<Reported>,
        changes: broadcast::Sender<ObjectName>,
        lines: LogLines,
        tasks: Tasks,
    ) -> Self {
        Self {
            deployment,
            surroundings,
            wanted,
            reported,
            changes,
            lines,
            tasks,
            inbox: mpsc::channel(256),
            seats: Vec::new(),
            image: ImageState::Waiting {
                image: String::new(),
                failures: 0,
                until: Instant::now(),
                message: String::new(),
            },
            numbers: 0,
        }
    }

    #[tracing::instrument(name = "deployment", skip_all, fields(app.name = %self.deployment.name))]
    pub(crate) async fn run(mut self) {
        let stopping = self.tasks.stopping();
        loop {
            let wanted = self.wanted.borrow_and_update().clone();
            let again_at = self.work(&wanted);
            self.report(&wanted);
            let again_at = again_at.unwrap_or_else(|| Instant::now() + Duration::from_hours(1));
            tokio::select! {
                () = stopping.cancelled() => break,
                () = tokio::time::sleep_until(again_at) => {}
                changed = self.wanted.changed() => if changed.is_err() { break },
                message = self.inbox.1.recv() => match message {
                    Some(message) => self.hear(message),
                    None => break,
                },
            }
        }
        self.drain_all().await;
    }

    /// One round: starts and drains what may be started and drained now. Says when to come again.
    fn work(&mut self, wanted: &Wanted) -> Option<Instant> {
        let mut again = self.image_again(wanted);
        let revision = Template::revision(&wanted.image, wanted.restart.as_deref());
        self.lines.begin(&revision);
        let desired = usize::try_from(self.deployment.replicas).unwrap_or(usize::MAX);
        let limits = self.deployment.limits();
        let surge = usize::try_from(limits.max_surge).unwrap_or(1);
        let unavailable = usize::try_from(limits.max_unavailable).unwrap_or(0);
        let steady = Duration::from_secs(u64::from(self.deployment.min_ready_seconds));
        let now = Instant::now();

        // Crashed replicas start again after their wait.
        for index in 0..self.seats.len() {
            if let Stage::Crashed { until, .. } = self.seats[index].stage {
                if until <= now {
                    self.start_again(index);
                } else {
                    again = Some(earliest(again, until));
                }
            }
        }
        // New ones, as far as the surge allows.
        if let ImageState::Ready { image, pulled } = &self.image
            && *image == wanted.image
        {
            let pulled = pulled.clone();
            loop {
                let staying = self.seats.iter().filter(|seat| !seat.is_leaving()).count();
                let new = self
                    .seats
                    .iter()
                    .filter(|seat| seat.revision == revision && !seat.is_leaving())
                    .count();
                if new >= desired || staying >= desired + surge {
                    break;
                }
                self.start_new(&revision, &pulled);
            }
        }
        // Old ones that never became ready serve nobody; those that serve leave when enough others do.
        let mut available = 0;
        for seat in self.seats.iter().filter(|seat| !seat.is_leaving()) {
            match seat.available_at(steady) {
                Some(at) if at <= now => available += 1,
                Some(at) => again = Some(earliest(again, at)),
                None => {}
            }
        }
        for index in 0..self.seats.len() {
            let seat = &self.seats[index];
            let old = seat.revision != revision;
            if !old || seat.is_leaving() {
                continue;
            }
            let serves = seat.available_at(steady).is_some_and(|at| at <= now);
            if !serves {
                self.seats[index].leave(
                    &self.deployment,
                    &self.surroundings,
                    &self.inbox.0,
                    &self.tasks,
                );
            } else if available > desired.saturating_sub(unavailable) {
                available -= 1;
                self.seats[index].leave(
                    &self.deployment,
                    &self.surroundings,
                    &self.inbox.0,
                    &self.tasks,
                );
            }
        }
        again
    }

    /// Sees to it that the wanted image is here, or on its way.
    fn image_again(&mut self, wanted: &Wanted) -> Option<Instant> {
        if self.image.image() != wanted.image {
            self.pull(wanted.image.clone(), 0, String::new());
            return None;
        }
        match &self.image {
            ImageState::Waiting { until, failures, image, message } => {
                if *until > Instant::now() {
                    return Some(*until);
                }
                self.pull(image.clone(), *failures, message.clone());
                None
            }
            ImageState::Pulling { .. } | ImageState::Ready { .. } => None,
        }
    }

    /// Pulls, after so many failures, the last of which said this.
    fn pull(&mut self, image: String, failures: u32, last: String) {
        self.image = ImageState::Pulling { image: image.clone(), failures, last };
        let puller = self.surroundings.puller.clone();
        let secrets = self.deployment.template.image_pull_secrets.clone();
        let namespace = self.deployment.name.namespace.clone();
        let sender = self.inbox.0.clone();
        self.tasks.spawn("pull", async move {
            let answer = match image.parse::<ImageReference>() {
                Ok(reference) => puller.pull(&reference, &namespace, &secrets).await,
                Err(error) => Err(PullError::new(error.to_string())),
            };
            // The controller may have stopped.
            let _ = sender.send(Message::Pulled(image, Box::new(answer))).await;
        });
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Pulled(image, answer) if image == self.image.image() => match *answer {
                Ok(pulled) => self.image = ImageState::Ready { image, pulled },
                Err(error) => {
                    let (failures, last) = match &self.image {
                        ImageState::Pulling { failures, last, .. } => (failures + 1, last.as_str()),
                        _ => (1, ""),
                    };
                    // Said once, and again when it is another fault.
                    if error.message != last && error.is_missing {
                        tracing::info!(image.reference = %image, "image is not in the registry yet");
                    } else if error.message != last {
                        tracing::warn!(image.reference = %image, error = %error, "image cannot be pulled");
                    }
                    self.image = ImageState::Waiting {
                        image,
                        failures,
                        until: Instant::now() + backoff(failures),
                        message: error.message,
                    };
                }
            },
            Message::Pulled(..) => {}
            Message::Replica(number, change) => {
                let Some(index) = self.seats.iter().position(|seat| seat.number == number) else {
                    return;
                };
                match change {
                    Change::Gone => {
                        self.seats.remove(index);
                    }
                    change => self.seats[index].hear(change, &self.surroundings, &self.deployment),
                }
            }
        }
    }

    fn start_new(&mut self, revision: &str, pulled: &PulledImage) {
        self.numbers += 1;
        let number = self.numbers;
        let seat = Seat::start(
            number,
            revision,
            Template::new(pulled),
            &self.deployment,
            &self.surroundings,
            (&self.inbox.0, &self.lines, &self.tasks),
        );
        self.seats.push(seat);
    }

    fn start_again(&mut self, index: usize) {
        let parts = (&self.inbox.0, &self.lines, &self.tasks);
        self.seats[index].start_again(&self.deployment, &self.surroundings, parts);
    }

    fn report(&self, wanted: &Wanted) {
        let revision = Template::revision(&wanted.image, wanted.restart.as_deref());
        let steady = Duration::from_secs(u64::from(self.deployment.min_ready_seconds));
        let now = Instant::now();
        let new =
            || self.seats.iter().filter(|seat| seat.revision == revision && !seat.is_leaving());
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let mut evidence: Vec<Evidence> = new().filter_map(Seat::evidence).collect();
        let mut digest: Option<Digest> = None;
        match &self.image {
            ImageState::Ready { image, pulled } if *image == wanted.image => {
                digest = Some(pulled.digest.clone());
            }
            // While it is tried once more, the verdict stands.
            ImageState::Waiting { image, message, failures, .. }
            | ImageState::Pulling { image, last: message, failures }
                if *image == wanted.image && *failures > 0 =>
            {
                let reason = if *failures > 1 { "ImagePullBackOff" } else { "ErrImagePull" };
                evidence.push(Evidence { reason: reason.to_owned(), message: message.clone() });
            }
            _ => {}
        }
        let reported = Reported {
            generation: wanted.generation,
            digest,
            desired: self.deployment.replicas,
            updated: count(new().count()),
            available: count(
                new().filter(|seat| seat.available_at(steady).is_some_and(|at| at <= now)).count(),
            ),
            ready: count(
                self.seats
                    .iter()
                    .filter(|seat| {
                        !seat.is_leaving() && seat.available_at(Duration::ZERO).is_some()
                    })
                    .count(),
            ),
            total: count(self.seats.len()),
            restarts: new().map(|seat| seat.restarts).sum(),
            evidence,
        };
        let differs = self.reported.send_if_modified(|before| {
            let differs = format!("{before:?}") != format!("{reported:?}");
            *before = reported;
            differs
        });
        if differs {
            // Nobody listens before the engine has started.
            let _ = self.changes.send(self.deployment.name.clone());
        }
    }

    /// Drains and stops every replica: the home ends.
    async fn drain_all(&mut self) {
        let mut leaving = BTreeSet::new();
        for seat in &mut self.seats {
            seat.leave(&self.deployment, &self.surroundings, &self.inbox.0, &self.tasks);
            leaving.insert(seat.number);
        }
        while !leaving.is_empty() {
            match self.inbox.1.recv().await {
                Some(Message::Replica(number, Change::Gone)) => {
                    leaving.remove(&number);
                }
                Some(_) => {}
                None => return,
            }
        }
    }
}

fn earliest(left: Option<Instant>, right: Instant) -> Instant {
    left.map_or(right, |left| left.min(right))
}

/// 0.5 s, 1 s, 2 s … at most five minutes.
pub(super) fn backoff(failures: u32) -> Duration {
    BACKOFF.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST_BACKOFF)
}
