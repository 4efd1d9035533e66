//! The consumer loop.
//!
//! **Flow.** Messages are begun as they come, those of one key one after the other, those of different keys at the
//! same time. What has taken effect, waits in the retry topic or is a dead letter is finished; an offset is committed
//! once everything before it is finished. A partition with many unfinished messages is paused, not waited for.
//!
//! **Guarantees.** No message is lost: what is not committed comes again. A message that cannot be handled leaves
//! its partition after a limited number of tries. A partition that goes to another member is let go after what
//! was begun is finished, or after the grace time. On shutdown nothing new is begun, what was begun is finished,
//! offsets are committed and the group is left.
//!
//! **Assumptions.** Handling a message twice changes nothing; see [`Dedup`](crate::Dedup).
//!
//! **Caveats.** A message in the retry topic is overtaken by later messages of its key.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use mercurious_runtime::{CancellationToken, Clock};
use tokio::{
    sync::Semaphore,
    task::{AbortHandle, JoinSet},
    time::Instant,
};

use crate::{
    Dedup, Event, Handler, Incoming, Partition, Producer, RetryPolicy, Revocation, Route, Source,
    SourceError,
    delivery::{End, Shared},
    offsets::Offsets,
    status::Status,
};

/// How a consumer behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The group's name.
    pub group: String,
    /// What it reads. The retry topic of each is read too.
    pub routes: Vec<Route>,
    /// How often and when a message is tried again.
    pub retry: RetryPolicy,
    /// How many messages are handled at the same time.
    pub concurrency: usize,
    /// A partition with so many unfinished messages is paused.
    pub partition_limit: usize,
    /// How long one try may take.
    pub handler_timeout: Duration,
    /// How long what was begun may go on when its partition goes elsewhere, or on shutdown.
    pub grace: Duration,
}

impl Settings {
    /// What fits most consumers: 16 at the same time, 64 of a partition, a minute for a try, ten seconds of grace.
    pub fn new(group: impl Into<String>, routes: Vec<Route>) -> Self {
        Self {
            group: group.into(),
            routes,
            retry: RetryPolicy::default(),
            concurrency: 16,
            partition_limit: 64,
            handler_timeout: Duration::from_mins(1),
            grace: Duration::from_secs(10),
        }
    }

    /// Every topic to subscribe to.
    pub fn topics(&self) -> Vec<String> {
        self.routes.iter().flat_map(|route| [route.topic.clone(), route.retry.clone()]).collect()
    }
}

/// A consumer that is ready to run.
pub struct Consumer {
    settings: Settings,
    routes: HashMap<String, Arc<Route>>,
    shared: Arc<Shared>,
}

/// What a consumer works with.
pub struct Parts {
    /// Who handles messages.
    pub handler: Arc<dyn Handler>,
    /// Who remembers what was handled.
    pub dedup: Arc<dyn Dedup>,
    /// Who sends retries and dead letters.
    pub producer: Arc<dyn Producer>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Consumer {
    /// Puts a consumer together.
    pub fn new(settings: Settings, parts: Parts) -> Self {
        let mut routes = HashMap::new();
        for route in &settings.routes {
            let route = Arc::new(route.clone());
            routes.insert(route.topic.clone(), Arc::clone(&route));
            routes.insert(route.retry.clone(), route);
        }
        let shared = Arc::new(Shared {
            group: settings.group.clone(),
            handler: parts.handler,
            dedup: parts.dedup,
            producer: parts.producer,
            policy: settings.retry.clone(),
            handler_timeout: settings.handler_timeout,
            room: Semaphore::new(settings.concurrency.max(1)),
            clock: parts.clock,
            status: Status::new(),
        });
        Self { settings, routes, shared }
    }

    /// What it is doing, for probes and metrics.
    pub fn status(&self) -> Status {
        self.shared.status.clone()
    }

    /// Runs until `stop`, then drains; or until the source ends.
    pub async fn run(
        self,
        mut source: Box<dyn Source>,
        stop: CancellationToken,
    ) -> Result<(), SourceError> {
        let mut work = Work {
            consumer: &self,
            lanes: HashMap::new(),
            leaving: Vec::new(),
            tasks: JoinSet::new(),
        };
        let ended = loop {
            self.shared.status.tick(self.shared.clock.now());
            let next_leave = work.next_leave();
            tokio::select! {
                biased;
                () = stop.cancelled() => break Ok(()),
                Some(finished) = work.tasks.join_next() => work.finished(&*source, finished),
                () = tokio::time::sleep_until(next_leave) => work.let_go(),
                event = source.next() => match event {
                    Ok(event) => work.event(&*source, event),
                    Err(error) => break Err(error),
                },
                // So that a quiet loop is known to be alive.
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
        };
        work.drain(&*source).await;
        source.leave().await;
        self.shared.status.assigned(0);
        self.shared.status.in_flight(0);
        ended
    }
}

/// What is finished: where, and how it ended.
type Finished = (Partition, u64, i64, Bytes, End);

/// The unfinished messages of one partition.
struct Lane {
    /// Which assignment of the partition this is: what an earlier one began does not count here.
    epoch: u64,
    offsets: Offsets,
    /// Messages that wait for an earlier one of their key, by key. A key with nothing begun is not here.
    keys: HashMap<Bytes, VecDeque<Incoming>>,
    running: HashMap<i64, AbortHandle>,
    paused: bool,
    quit: CancellationToken,
}

struct Work<'a> {
    consumer: &'a Consumer,
    lanes: HashMap<Partition, Lane>,
    /// Partitions that go elsewhere when their work is finished, with the time when they go anyway.
    leaving: Vec<(Revocation, Instant)>,
    tasks: JoinSet<Finished>,
}

/// Numbers assignments.
static EPOCHS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

impl Work<'_> {
    fn event(&mut self, source: &dyn Source, event: Event) {
        match event {
            Event::Assigned(partitions) => {
                for partition in partitions {
                    tracing::info!(partition = %partition, "partition assigned");
                    self.drop_lane(&partition);
                    self.lanes.insert(partition, Lane::new());
                }
                self.consumer.shared.status.joined();
                self.consumer.shared.status.assigned(self.lanes.len());
            }
            Event::Lost(partitions) => {
                for partition in &partitions {
                    tracing::warn!(partition = %partition, "partition lost");
                    self.drop_lane(partition);
                }
                self.consumer.shared.status.assigned(self.lanes.len());
            }
            Event::Revoked(revocation) => {
                for partition in &revocation.partitions {
                    tracing::info!(partition = %partition, "partition goes elsewhere");
                    if let Some(lane) = self.lanes.get_mut(partition) {
                        lane.begin_no_more();
                    }
                }
                self.leaving.push((revocation, Instant::now() + self.consumer.settings.grace));
                self.let_go();
            }
            Event::Message(message) => self.message(source, message),
        }
    }

    fn message(&mut self, source: &dyn Source, message: Incoming) {
        let partition = partition_of(&message);
        // What comes after its partition is gone is somebody else's.
        let Some(lane) = self.lanes.get_mut(&partition) else { return };
        if lane.quit.is_cancelled() || !lane.offsets.begin(message.position.offset) {
            return;
        }
        let unfinished = lane.offsets.unfinished();
        if let Some(waiting) = lane.keys.get_mut(&message.key) {
            waiting.push_back(message);
        } else {
            lane.keys.insert(message.key.clone(), VecDeque::new());
            self.begin(&partition, message);
        }
        if let Some(lane) = self.lanes.get_mut(&partition)
            && !lane.paused
            && unfinished >= self.consumer.settings.partition_limit
        {
            lane.paused = true;
            source.pause(&partition);
        }
        self.count();
    }

    fn begin(&mut self, partition: &Partition, message: Incoming) {
        let Some(lane) = self.lanes.get_mut(partition) else { return };
        let Some(route) = self.consumer.routes.get(&partition.topic) else { return };
        let (route, shared) = (Arc::clone(route), Arc::clone(&self.consumer.shared));
        let (quit, epoch) = (lane.quit.clone(), lane.epoch);
        let (partition, offset) = (partition.clone(), message.position.offset);
        let handle = self.tasks.spawn(async move {
            let end = shared.deliver(&message, &route, &quit).await;
            (partition, epoch, offset, message.key, end)
        });
        lane.running.insert(offset, handle);
    }

    fn count(&self) {
        let in_flight = self.lanes.values().map(|lane| lane.offsets.unfinished()).sum();
        self.consumer.shared.status.in_flight(in_flight);
    }

    fn finished(
        &mut self,
        source: &dyn Source,
        finished: Result<Finished, tokio::task::JoinError>,
    ) {
        // An aborted task belongs to a lane that is gone.
        let Ok((partition, epoch, offset, key, end)) = finished else { return };
        let Some(lane) = self.lanes.get_mut(&partition).filter(|lane| lane.epoch == epoch) else {
            return;
        };
        lane.running.remove(&offset);
        if end == End::Finished {
            if let Some(next) = lane.offsets.finish(offset) {
                source.done(&partition, next);
            }
            let following = lane.keys.get_mut(&key).and_then(VecDeque::pop_front);
            if following.is_none() {
                lane.keys.remove(&key);
            }
            let room = self.consumer.settings.partition_limit / 2;
            if lane.paused && lane.offsets.unfinished() <= room && !lane.quit.is_cancelled() {
                lane.paused = false;
                source.resume(&partition);
            }
            if let Some(message) = following {
                self.begin(&partition, message);
            }
        }
        self.count();
        self.let_go();
    }

    fn next_leave(&self) -> Instant {
        let far = Instant::now() + Duration::from_hours(1);
        self.leaving.iter().map(|(_, at)| *at).min().unwrap_or(far)
    }

    /// Lets go of partitions whose work is finished, or whose time is up.
    fn let_go(&mut self) {
        let now = Instant::now();
        for (revocation, at) in std::mem::take(&mut self.leaving) {
            let busy = (revocation.partitions.iter())
                .any(|partition| self.lanes.get(partition).is_some_and(Lane::is_busy));
            if busy && now < at {
                self.leaving.push((revocation, at));
                continue;
            }
            for partition in &revocation.partitions {
                self.drop_lane(partition);
            }
        }
        self.consumer.shared.status.assigned(self.lanes.len());
    }

    fn drop_lane(&mut self, partition: &Partition) {
        if let Some(lane) = self.lanes.remove(partition) {
            lane.quit.cancel();
            for handle in lane.running.values() {
                handle.abort();
            }
        }
    }

    /// Begins nothing more and finishes what was begun, as long as the grace lasts.
    async fn drain(&mut self, source: &dyn Source) {
        for lane in self.lanes.values_mut() {
            lane.begin_no_more();
        }
        let deadline = Instant::now() + self.consumer.settings.grace;
        while let Ok(Some(finished)) =
            tokio::time::timeout_at(deadline, self.tasks.join_next()).await
        {
            self.finished(source, finished);
        }
        let left = self.tasks.len();
        if left > 0 {
            tracing::warn!(messages = left, "not finished in time; they come again elsewhere");
        }
        self.tasks.shutdown().await;
        self.leaving.clear();
    }
}

impl Lane {
    fn new() -> Self {
        Self {
            epoch: EPOCHS.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
            offsets: Offsets::default(),
            keys: HashMap::new(),
            running: HashMap::new(),
            paused: false,
            quit: CancellationToken::new(),
        }
    }

    fn begin_no_more(&mut self) {
        self.quit.cancel();
        for waiting in self.keys.values_mut() {
            waiting.clear();
        }
    }

    fn is_busy(&self) -> bool {
        !self.running.is_empty()
    }
}

fn partition_of(message: &Incoming) -> Partition {
    Partition { topic: message.position.topic.clone(), number: message.position.partition }
}
