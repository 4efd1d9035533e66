use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use redis::Script;

use super::Redis;
use crate::{
    limits::{Limits, LocalLimits, Rate, Verdict},
    metrics::Metrics,
};

/// The same as [`LocalLimits`], by the server's clock: what a request costs and what may be owed come in, and out
/// comes how many microseconds are to be waited.
const JUDGE: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local known = tonumber(redis.call('GET', KEYS[1]) or now)
local paid_off = math.max(known, now) + tonumber(ARGV[1])
local over = paid_off - now - tonumber(ARGV[2])
if over > 0 then
  return math.ceil(over)
end
redis.call('SET', KEYS[1], string.format('%.0f', paid_off), 'PX', math.ceil((paid_off - now) / 1000) + 1)
return 0
";

/// Limits that replicas share; each its own while Redis does not answer.
#[derive(Debug)]
pub struct RedisLimits {
    redis: Redis,
    judge: Script,
    rate: Rate,
    alone: LocalLimits,
    metrics: Arc<Metrics>,
}

impl RedisLimits {
    /// Limits over a connection, and `alone` for when it does not answer.
    pub fn new(redis: Redis, rate: Rate, alone: LocalLimits, metrics: Arc<Metrics>) -> Self {
        Self { redis, judge: Script::new(JUDGE), rate, alone, metrics }
    }
}

#[async_trait]
impl Limits for RedisLimits {
    async fn take(&self, client: &str) -> Verdict {
        if self.rate.per_second <= 0.0 {
            return Verdict::Allowed;
        }
        let mut judge = self.judge.key(format!("travel:rate:{client}"));
        judge.arg(self.rate.interval()).arg(self.rate.tolerance());
        let over: redis::RedisResult<u64> = judge.invoke_async(&mut self.redis.shared()).await;
        match over {
            Ok(0) => Verdict::Allowed,
            Ok(over) => Verdict::Wait(Duration::from_micros(over)),
            Err(error) => {
                self.metrics.limits_alone.inc();
                tracing::debug!(error = self.redis.say(&error), "limited without Redis");
                self.alone.judge(client)
            }
        }
    }
}
