//! Cache, one question at a time for equal ones, retries, circuit breaker.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use lru::LruCache;
use mercurious_runtime::{Breaker, BreakerLimit};
use tokio::time::{Instant, sleep, timeout_at};

use super::{Answer, Http, HttpError, Question};

/// Bounds of [`Resilient`].
#[derive(Debug, Clone, Copy)]
pub struct Resilience {
    /// How often a question is asked in all.
    pub tries: u32,
    /// How long one waits before the second try; twice as long before each next.
    pub pause: Duration,
    /// How long a question may take with all its tries.
    pub budget: Duration,
    /// After how many failures in a row a server is left alone.
    pub failures: u32,
    /// For how long.
    pub rest: Duration,
    /// How many answers are kept.
    pub answers: NonZeroUsize,
}

impl Default for Resilience {
    fn default() -> Self {
        Self {
            tries: 3,
            pause: Duration::from_millis(300),
            budget: Duration::from_secs(20),
            failures: 5,
            rest: Duration::from_secs(60),
            answers: NonZeroUsize::MIN.saturating_add(255),
        }
    }
}

/// Larger answers than this are not kept.
const KEPT: usize = 64 * 1024;
/// Equal questions wait for one another; so do the few that share a lane by chance.
const LANES: usize = 32;

/// Asks somebody else, carefully.
pub struct Resilient<H> {
    inner: H,
    resilience: Resilience,
    answers: Mutex<LruCache<String, (Answer, Instant)>>,
    breakers: Mutex<BTreeMap<String, Breaker>>,
    lanes: [tokio::sync::Mutex<()>; LANES],
}

impl<H: Http> Resilient<H> {
    /// Before `inner`.
    pub fn new(inner: H, resilience: Resilience) -> Self {
        Self {
            inner,
            resilience,
            answers: Mutex::new(LruCache::new(resilience.answers)),
            breakers: Mutex::new(BTreeMap::new()),
            lanes: std::array::from_fn(|_| tokio::sync::Mutex::new(())),
        }
    }

    fn kept(&self, key: &str) -> Option<Answer> {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let (answer, until) = answers.get(key)?;
        if Instant::now() < *until {
            return Some(answer.clone());
        }
        answers.pop(key);
        None
    }

    fn keep(&self, key: String, answer: &Answer, fresh: Duration) {
        if answer.status == 200 && answer.body.len() <= KEPT && !fresh.is_zero() {
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            answers.put(key, (answer.clone(), Instant::now() + fresh));
        }
    }

    fn breaker<T>(&self, host: &str, with: impl FnOnce(&mut Breaker, BreakerLimit) -> T) -> T {
        let limit = BreakerLimit { failures: self.resilience.failures, rest: self.resilience.rest };
        let mut breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        // The hosts are those of the settings: a handful.
        with(breakers.entry(host.to_owned()).or_insert_with(Breaker::new), limit)
    }

    async fn try_often(&self, question: &Question) -> Result<Answer, HttpError> {
        let host = question.host();
        let deadline = Instant::now() + self.resilience.budget;
        let mut pause = self.resilience.pause;
        for attempt in 1.. {
            if !self.breaker(host, |breaker, limit| breaker.lets_through(Instant::now(), limit)) {
                return Err(HttpError::Resting { host: host.to_owned() });
            }
            let outcome = match timeout_at(deadline, self.inner.ask(question)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(HttpError::Timeout { host: host.to_owned() }),
            };
            let again = match &outcome {
                Ok(answer) => matches!(answer.status, 429 | 500..=599),
                Err(error) => error.is_transient(),
            };
            self.breaker(host, |breaker, limit| {
                if again { breaker.failed(Instant::now(), limit) } else { breaker.succeeded() }
            });
            let asked = outcome.as_ref().ok().and_then(|answer| answer.retry_after);
            // A little chance, so that many replicas do not come back at the same moment.
            let wait = asked.unwrap_or(pause).mul_f64(1.0 + fastrand::f64() / 4.0);
            if !again || attempt >= self.resilience.tries || Instant::now() + wait >= deadline {
                return outcome;
            }
            sleep(wait).await;
            pause *= 2;
        }
        Err(HttpError::Timeout { host: host.to_owned() })
    }
}

#[async_trait]
impl<H: Http> Http for Resilient<H> {
    async fn ask(&self, question: &Question) -> Result<Answer, HttpError> {
        let key = question.key();
        if let Some(answer) = self.kept(&key) {
            return Ok(answer);
        }
        let lane = key.bytes().fold(0, |lane, byte| (lane * 31 + usize::from(byte)) % LANES);
        let _turn = self.lanes[lane].lock().await;
        if let Some(answer) = self.kept(&key) {
            return Ok(answer);
        }
        let answer = self.try_often(question).await?;
        self.keep(key, &answer, question.fresh);
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use bytes::Bytes;

    use super::*;

    /// Answers with these statuses, one after the other, then with 200.
    struct FakeServer {
        statuses: Mutex<VecDeque<(u16, Option<u64>)>>,
        asked: AtomicUsize,
        slow: bool,
    }

    #[async_trait]
    impl Http for FakeServer {
        async fn ask(&self, question: &Question) -> Result<Answer, HttpError> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            if self.slow {
                std::future::pending::<()>().await;
            }
            tokio::task::yield_now().await;
            let (status, after) = self.statuses.lock().unwrap().pop_front().unwrap_or((200, None));
            if status == 0 {
                return Err(HttpError::Timeout { host: question.host().to_owned() });
            }
            let retry_after = after.map(Duration::from_secs);
            Ok(Answer { status, body: Bytes::from_static(b"{}"), retry_after })
        }
    }

    fn server(statuses: &[(u16, Option<u64>)]) -> Resilient<FakeServer> {
        let statuses = Mutex::new(statuses.iter().copied().collect());
        let inner = FakeServer { statuses, asked: AtomicUsize::new(0), slow: false };
        Resilient::new(inner, Resilience::default())
    }

    fn question(path: &str) -> Question {
        Question {
            url: format!("http://source.test/{path}").parse().unwrap(),
            headers: Vec::new(),
            secret: None,
            body: None,
            fresh: Duration::from_secs(600),
        }
    }

    fn asked(server: &Resilient<FakeServer>) -> usize {
        server.inner.asked.load(Ordering::SeqCst)
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_tried_again_and_what_may_not_is_not() {
        let passing = server(&[(503, None), (0, None)]);
        assert_eq!(passing.ask(&question("a")).await.unwrap().status, 200);
        assert_eq!(asked(&passing), 3);
        let wrong = server(&[(400, None)]);
        assert_eq!(wrong.ask(&question("a")).await.unwrap().status, 400);
        assert_eq!(asked(&wrong), 1);
        let lasting = server(&[(503, None); 9]);
        assert_eq!(lasting.ask(&question("a")).await.unwrap().status, 503);
        assert_eq!(asked(&lasting), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn retry_after_is_kept_to_and_beyond_the_budget_nothing_is_tried() {
        let soon = server(&[(429, Some(7))]);
        let start = Instant::now();
        assert_eq!(soon.ask(&question("a")).await.unwrap().status, 200);
        assert!(start.elapsed() >= Duration::from_secs(7));
        let late = server(&[(429, Some(3_600))]);
        assert_eq!(late.ask(&question("a")).await.unwrap().status, 429);
        assert_eq!(asked(&late), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_never_answers_is_given_up_after_the_budget() {
        let inner =
            FakeServer { statuses: Mutex::default(), asked: AtomicUsize::new(0), slow: true };
        let slow = Resilient::new(inner, Resilience::default());
        let start = Instant::now();
        assert!(matches!(slow.ask(&question("a")).await, Err(HttpError::Timeout { .. })));
        assert_eq!(start.elapsed(), Duration::from_secs(20));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_kept_while_it_is_fresh_and_equal_questions_are_asked_once() {
        let server = server(&[]);
        let one = question("a");
        let (left, right) = tokio::join!(server.ask(&one), server.ask(&one));
        assert!(left.is_ok() && right.is_ok());
        assert_eq!(asked(&server), 1);
        tokio::time::advance(Duration::from_secs(601)).await;
        server.ask(&one).await.unwrap();
        assert_eq!(asked(&server), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_fails_again_and_again_rests() {
        let server = server(&[(500, None); 6]);
        server.ask(&question("a")).await.unwrap();
        // The fifth failure opens the breaker.
        assert!(matches!(server.ask(&question("b")).await, Err(HttpError::Resting { .. })));
        assert_eq!(asked(&server), 5);
        assert!(matches!(server.ask(&question("c")).await, Err(HttpError::Resting { .. })));
        assert_eq!(asked(&server), 5);
        tokio::time::advance(Duration::from_secs(61)).await;
        // The one question that decides fails too; then it rests again.
        assert!(matches!(server.ask(&question("c")).await, Err(HttpError::Resting { .. })));
        tokio::time::advance(Duration::from_secs(61)).await;
        assert_eq!(server.ask(&question("c")).await.unwrap().status, 200);
    }
}
