use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use mercurious_contracts::JobId;
use mercurious_runtime::CancellationToken;
use redis::{RedisResult, aio::MultiplexedConnection};
use tokio::sync::mpsc;

use super::Redis;
use crate::service::{Hub, News};

/// The stream.
const STREAM: &str = "travel:events";
/// About how many entries it keeps.
const KEPT: u32 = 10_000;
/// How many announcements may wait; more are left out, and found by asking the store.
const QUEUE: usize = 4096;
/// How long to wait for entries.
const BLOCK: Duration = Duration::from_secs(5);
/// How long to wait after an error.
const PAUSE: Duration = Duration::from_secs(1);
/// How many entries at once.
const BATCH: usize = 500;

/// A reply of XREAD: streams of entries of fields.
type Entries = Option<Vec<(String, Vec<(String, Vec<String>)>)>>;

/// News over a Redis stream.
#[derive(Debug)]
pub struct RedisNews {
    redis: Redis,
    announce: mpsc::Sender<(JobId, u64)>,
    announced: Mutex<Option<mpsc::Receiver<(JobId, u64)>>>,
}

impl RedisNews {
    /// News over a connection.
    pub fn new(redis: Redis) -> Self {
        let (announce, announced) = mpsc::channel(QUEUE);
        Self { redis, announce, announced: Mutex::new(Some(announced)) }
    }

    /// Adds what is announced to the stream.
    async fn tell(&self, mut announced: mpsc::Receiver<(JobId, u64)>) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut failing = false;
        while announced.recv_many(&mut batch, BATCH).await > 0 {
            let mut pipe = redis::pipe();
            for (job, head) in batch.drain(..) {
                pipe.cmd("XADD")
                    .arg(STREAM)
                    .arg("MAXLEN")
                    .arg("~")
                    .arg(KEPT)
                    .arg("*")
                    .arg("job")
                    .arg(job.to_string())
                    .arg("head")
                    .arg(head)
                    .ignore();
            }
            let told: RedisResult<()> = pipe.query_async(&mut self.redis.shared()).await;
            if let Err(error) = &told
                && !failing
            {
                tracing::warn!(error = self.redis.say(error), "news of events are not told");
            }
            failing = told.is_err();
        }
    }

    /// Hands on what comes, over one connection, until it breaks.
    async fn hear(&self, hub: &Hub, last: &mut String) -> RedisResult<()> {
        let mut connection = self.redis.own(BLOCK * 2).await?;
        if last.is_empty() {
            *last = newest(&mut connection).await?;
        }
        loop {
            let entries: Entries = redis::cmd("XREAD")
                .arg("COUNT")
                .arg(BATCH)
                .arg("BLOCK")
                .arg(BLOCK.as_millis() as u64)
                .arg("STREAMS")
                .arg(STREAM)
                .arg(&*last)
                .query_async(&mut connection)
                .await?;
            for (id, fields) in entries.into_iter().flatten().flat_map(|(_, entries)| entries) {
                if let [_, job, _, head] = fields.as_slice()
                    && let (Ok(job), Ok(head)) = (job.parse(), head.parse())
                {
                    hub.raise(job, head);
                }
                *last = id;
            }
        }
    }
}

/// Where the stream ends now.
async fn newest(connection: &mut MultiplexedConnection) -> RedisResult<String> {
    let newest: Vec<(String, Vec<String>)> = redis::cmd("XREVRANGE")
        .arg(STREAM)
        .arg("+")
        .arg("-")
        .arg("COUNT")
        .arg(1)
        .query_async(connection)
        .await?;
    Ok(newest.into_iter().next().map_or_else(|| "0-0".to_owned(), |(id, _)| id))
}

#[async_trait]
impl News for RedisNews {
    fn announce(&self, job: JobId, head: u64) {
        // Left out when too many wait: the store is asked as well.
        let _ = self.announce.try_send((job, head));
    }

    async fn listen(&self, hub: &Hub, stop: CancellationToken) {
        let announced = self.announced.lock().unwrap_or_else(PoisonError::into_inner).take();
        let tell = async {
            match announced {
                Some(announced) => self.tell(announced).await,
                None => std::future::pending().await,
            }
        };
        let hear = async {
            let mut last = String::new();
            loop {
                if let Err(error) = self.hear(hub, &mut last).await {
                    tracing::warn!(error = self.redis.say(&error), "news of events do not come");
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tell => {}
            () = hear => {}
        }
    }
}
