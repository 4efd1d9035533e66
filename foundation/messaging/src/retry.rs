//! Where a message goes that did not work: to wait for another try, or to the dead letters.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::{Headers, Incoming, Outgoing, header};

/// A topic that is read, and where its messages go that do not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The topic.
    pub topic: String,
    /// Where messages wait for another try; read by the same group.
    pub retry: String,
    /// Where messages end that are given up.
    pub dead_letters: String,
}

/// How often and when a message is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often it is tried in all.
    pub attempts: u32,
    /// How long to wait before the second try; twice as long before each further one.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
}

impl Default for RetryPolicy {
    /// Five tries after 1, 2, 4 and 8 seconds.
    fn default() -> Self {
        Self { attempts: 5, first: Duration::from_secs(1), longest: Duration::from_mins(1) }
    }
}

impl RetryPolicy {
    /// How long to wait after the try with the number `attempt`, from 1. `random` (0 to 1) makes it up to a
    /// fifth longer, so that what failed together is not tried together.
    pub fn wait(&self, attempt: u32, random: f64) -> Duration {
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)));
        doubled.min(self.longest).mul_f64(1.0 + random.clamp(0.0, 1.0) / 5.0)
    }
}

/// What to do with a message that did not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// Publish this to the retry topic.
    Retry(Outgoing),
    /// Publish this to the dead letters.
    Dead { message: Outgoing, class: String, reason: String },
}

/// The try that this is, from 1.
pub(crate) fn attempt(message: &Incoming) -> u32 {
    message.headers.number(header::ATTEMPT).unwrap_or(1).max(1)
}

/// After a try that did not work.
pub(crate) fn after_failure(
    message: &Incoming,
    route: &Route,
    group: &str,
    reason: &str,
    policy: &RetryPolicy,
    (now, random): (Timestamp, f64),
) -> Next {
    let attempt = attempt(message);
    if attempt >= policy.attempts {
        return dead(message, route, "exhausted", &format!("{attempt} tries, the last: {reason}"));
    }
    let wait = SignedDuration::try_from(policy.wait(attempt, random)).unwrap_or_default();
    let not_before = now.checked_add(wait).unwrap_or(now);
    if message.headers.moment(header::DEADLINE).is_some_and(|deadline| not_before > deadline) {
        let reason = format!("no time for another try before the deadline; the last: {reason}");
        return dead(message, route, "deadline", &reason);
    }
    let mut headers = with_origin(message);
    headers.set_text(header::ATTEMPT, attempt + 1);
    headers.set_text(header::NOT_BEFORE, not_before);
    headers.set_text(header::RETRY_GROUP, group);
    headers.set_text(header::ERROR_CLASS, "transient");
    headers.set_text(header::ERROR_REASON, shortened(reason));
    Next::Retry(outgoing(message, route.retry.clone(), headers))
}

/// For a message that will never work.
pub(crate) fn dead(message: &Incoming, route: &Route, class: &str, reason: &str) -> Next {
    let mut headers = with_origin(message);
    headers.set_text(header::ATTEMPT, attempt(message));
    headers.remove(header::NOT_BEFORE);
    headers.set_text(header::ERROR_CLASS, class);
    headers.set_text(header::ERROR_REASON, shortened(reason));
    Next::Dead {
        message: outgoing(message, route.dead_letters.clone(), headers),
        class: class.to_owned(),
        reason: reason.to_owned(),
    }
}

fn outgoing(message: &Incoming, topic: String, headers: Headers) -> Outgoing {
    // A key that is no text is kept as well as it can be.
    let key = String::from_utf8_lossy(&message.key).into_owned();
    Outgoing { topic, key, headers, payload: message.payload.clone() }
}

/// The headers, with where the message stood first.
fn with_origin(message: &Incoming) -> Headers {
    let mut headers = message.headers.clone();
    if headers.bytes(header::ORIGINAL_TOPIC).is_none() {
        headers.set_text(header::ORIGINAL_TOPIC, &message.position.topic);
        headers.set_text(header::ORIGINAL_PARTITION, message.position.partition);
        headers.set_text(header::ORIGINAL_OFFSET, message.position.offset);
    }
    headers
}

fn shortened(reason: &str) -> String {
    reason.chars().take(500).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::Position;

    fn incoming(headers: Headers) -> Incoming {
        Incoming {
            position: Position { topic: "work".to_owned(), partition: 2, offset: 7 },
            key: Bytes::from_static(b"key"),
            headers,
            payload: Bytes::from_static(b"payload"),
        }
    }

    fn route() -> Route {
        Route {
            topic: "work".to_owned(),
            retry: "work-retry".to_owned(),
            dead_letters: "work-dlq".to_owned(),
        }
    }

    fn again(message: &Incoming, sent: Outgoing) -> Incoming {
        Incoming {
            position: Position { topic: sent.topic, partition: 0, offset: 99 },
            headers: sent.headers,
            ..message.clone()
        }
    }

    proptest! {
        #[test]
        fn retries_never_exceed_the_limit_and_wait_twice_as_long_each_time(
            attempts in 1_u32..9, random in 0.0_f64..=1.0,
        ) {
            let policy = RetryPolicy { attempts, ..RetryPolicy::default() };
            let mut message = incoming(Headers::new());
            let mut waited = Duration::ZERO;
            for number in 1..attempts {
                let at = (Timestamp::UNIX_EPOCH, random);
                let next = after_failure(&message, &route(), "group", "no", &policy, at);
                let Next::Retry(sent) = next else { return Err(TestCaseError::fail("given up early")) };
                prop_assert_eq!(&sent.topic, "work-retry");
                prop_assert_eq!(sent.headers.number(header::ATTEMPT), Some(number + 1));
                prop_assert_eq!(sent.headers.number(header::ORIGINAL_OFFSET), Some(7));
                let wait = policy.wait(number, random);
                prop_assert!(wait >= waited);
                prop_assert!(wait <= policy.longest.mul_f64(1.2));
                waited = wait;
                message = again(&message, sent);
            }
            let at = (Timestamp::UNIX_EPOCH, random);
            let next = after_failure(&message, &route(), "group", "no", &policy, at);
            let Next::Dead { message: sent, class, .. } = next else {
                return Err(TestCaseError::fail("not given up"))
            };
            prop_assert_eq!(&sent.topic, "work-dlq");
            prop_assert_eq!(&class, "exhausted");
            prop_assert_eq!(sent.headers.text(header::ORIGINAL_TOPIC), Some("work"));
            prop_assert_eq!(sent.headers.number(header::ORIGINAL_PARTITION), Some(2));
        }
    }

    #[test]
    fn a_retry_that_would_come_after_the_deadline_is_given_up_at_once() {
        let headers = Headers::new().with(header::DEADLINE, "1970-01-01T00:00:00.5Z");
        let at = (Timestamp::UNIX_EPOCH, 0.0);
        let policy = RetryPolicy::default();
        let next = after_failure(&incoming(headers), &route(), "group", "no", &policy, at);
        assert!(matches!(next, Next::Dead { class, .. } if class == "deadline"), "not given up");
    }
}
