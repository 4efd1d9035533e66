use std::{collections::BTreeSet, sync::Arc, time::Duration};

use jiff::Timestamp;
use mercurious_core::{
    policy::{Order, Policy},
    resources::ObjectName,
};
use mercurious_runtime::CancellationToken;
use tokio::sync::{oneshot, watch};

use crate::{
    Event, EventKind, Listing, LookDepth, Place, RepositoryWish, SAFETY_NET, Seen,
    detect::{Round, described},
    engine::Ports,
    hints::{Hint, HintReceiver},
    ports::LookError,
};

/// What is known of a repository now, for reconcilers and for people.
#[derive(Clone, Debug, Default)]
pub struct RepositoryState {
    /// What was seen; the same as long as nothing else is.
    pub seen: Arc<Seen>,
    /// Why the last look failed, if it did.
    pub failure: Option<String>,
    /// Whether it failed before the registry was asked: a Secret is not there, or cannot be used.
    pub unprepared: bool,
    /// When the last look ended, good or bad.
    pub looked_at: Option<Timestamp>,
    /// All tags, where they were listed in this engine's life.
    pub listing: Option<Arc<Listing>>,
}

/// Looks at one repository, again and again.
pub(crate) struct Watcher {
    pub(crate) name: ObjectName,
    pub(crate) wish: watch::Receiver<Arc<RepositoryWish>>,
    /// What was seen before was of another place.
    pub(crate) anew: bool,
    pub(crate) ports: Ports,
    pub(crate) state: watch::Sender<RepositoryState>,
    pub(crate) hints: HintReceiver,
    pub(crate) stopping: CancellationToken,
}

/// A failed look is tried again after this, doubling up to the interval where that is longer.
const FIRST_RETRY: Duration = Duration::from_secs(1);

impl Watcher {
    pub(crate) async fn run(mut self) {
        let mut wish = self.wish.borrow_and_update().clone();
        if !self.anew {
            self.remember(&wish).await;
        }
        let mut depth = LookDepth::Poll;
        let mut failures: u32 = 0;
        let mut waiting: Vec<oneshot::Sender<()>> = Vec::new();
        loop {
            if !wish.suspended {
                let failed = tokio::select! {
                    () = self.stopping.cancelled() => return,
                    // Between looks it takes no room.
                    failed = Box::pin(self.look(&wish, depth.clone())) => failed,
                };
                failures = if failed { failures.saturating_add(1) } else { 0 };
            }
            for done in waiting.drain(..) {
                // Who asked may have gone.
                let _ = done.send(());
            }
            let pause = pause(wish.interval, failures);
            depth = tokio::select! {
                () = self.stopping.cancelled() => return,
                // A look that was asked for and failed is still asked for.
                () = tokio::time::sleep(pause) => if failures > 0 { depth } else { LookDepth::Poll },
                changed = self.wish.changed() => match changed {
                    Ok(()) => {
                        wish = self.wish.borrow_and_update().clone();
                        LookDepth::Poll
                    }
                    Err(_) => return,
                },
                hints = self.hints.take() => gather(hints, &mut waiting),
            };
        }
    }

    /// Takes up what was seen in an earlier life, unless that was of another repository.
    async fn remember(&self, wish: &RepositoryWish) {
        match self.ports.store.seen(&self.name).await {
            Ok(Some(seen)) => {
                let own = |release: &Arc<mercurious_core::image::Release>| {
                    release.repository == wish.place.repository
                };
                if seen.releases.values().all(own) {
                    self.state.send_modify(|state| state.seen = seen);
                }
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(repository.name = %self.name, error = %error, "what was seen before cannot be read; looking anew");
            }
        }
    }

    /// One look. Says whether it failed.
    #[tracing::instrument(name = "look", skip_all, fields(repository.name = %self.name))]
    async fn look(&self, wish: &RepositoryWish, depth: LookDepth) -> bool {
        let place = &wish.place;
        let policies: Vec<Arc<Policy>> = wish.policies.values().cloned().collect();
        if policies.is_empty() && !place.shown {
            return false;
        }
        let before = self.state.borrow().seen.clone();
        let now = self.ports.clock.now();
        let source = self.ports.source.as_ref();
        let round = || Round::new(source, place, &policies, &before);
        let answer = match in_time(place, round().glance(depth.clone(), now)).await {
            // What was listed is let go while others learn: hundreds of lists take room.
            Ok(None) => {
                let _turn = source.turn().await;
                let now = self.ports.clock.now();
                in_time(place, round().look(depth, now)).await
            }
            Ok(Some(look)) => Ok(look),
            Err(error) => Err(error),
        };
        let now = self.ports.clock.now();
        match answer {
            Ok(found) => {
                let described = described(&policies);
                let listing = match found.seen.listed_at {
                    Some(at) if found.listed => {
                        Some(Arc::new(Listing::of(found.seen.tags.keys(), at)))
                    }
                    _ => None,
                };
                // The usual poll: nothing is another one than before.
                let same = !found.changed && !found.listed;
                let cut = self.ports.store.room().map(|room| {
                    if same {
                        Arc::clone(&before)
                    } else {
                        Arc::new(found.seen.cut(room, &described))
                    }
                });
                let (seen, changed) = match &cut {
                    Some(cut) if !policies.iter().any(|policy| reads_names(policy)) => {
                        (Arc::clone(cut), cut.differs_from(&before))
                    }
                    _ => (Arc::new(found.seen), found.changed),
                };
                if changed || is_overdue(before.listed_at, seen.listed_at) {
                    let kept = cut.as_ref().unwrap_or(&seen);
                    let saved = self.ports.store.save_seen(&place.name, kept);
                    if let Err(error) = saved.await {
                        tracing::warn!(error = %error, "what was seen cannot be written; it will be looked at again after a restart");
                    }
                }
                if changed {
                    self.tell(EventKind::Found {
                        message: format!("{} tags in {}", seen.count(), place.repository),
                    });
                }
                self.state.send_modify(|state| {
                    if state.seen != seen {
                        state.seen = seen;
                    }
                    state.failure = None;
                    state.unprepared = false;
                    state.looked_at = Some(now);
                    if listing.is_some() {
                        state.listing = listing;
                    }
                });
                false
            }
            Err(error) => {
                let message = error.to_string();
                if self.state.borrow().failure.as_ref() != Some(&message) {
                    tracing::warn!(error = %message, "look failed");
                    self.tell(EventKind::LookFailed { message: message.clone() });
                }
                let unprepared = matches!(error, LookError::Unprepared { .. });
                self.state.send_modify(|state| {
                    state.failure = Some(message);
                    state.unprepared = unprepared;
                    state.looked_at = Some(now);
                });
                true
            }
        }
    }

    fn tell(&self, kind: EventKind) {
        let object = self.name.clone();
        self.ports.notifier.notify(&Event { at: self.ports.clock.now(), object, kind });
    }
}

/// Answers all hints that came together by one look: a push of many tags is many hints.
fn gather(hints: Vec<Hint>, waiting: &mut Vec<oneshot::Sender<()>>) -> LookDepth {
    let mut moved = BTreeSet::new();
    for hint in hints {
        moved.extend(hint.tag);
        waiting.extend(hint.done);
    }
    LookDepth::Full { moved }
}

/// An answer within the time that one look may take.
async fn in_time<T>(
    place: &Place,
    answer: impl Future<Output = Result<T, LookError>>,
) -> Result<T, LookError> {
    tokio::time::timeout(place.timeout, answer).await.unwrap_or_else(|_| {
        let message =
            format!("no answer from {} within {:?}", place.repository.host(), place.timeout);
        Err(LookError::Failed { message, retryable: true })
    })
}

/// Whether a policy chooses by the names of tags, so that all of them must be at hand.
fn reads_names(policy: &Policy) -> bool {
    !matches!(policy.order, Order::Newest | Order::Digest(_))
}

/// Whether the last listing that is written down would soon be taken for an old one: an engine that lives for one
/// pass only would list in each of them.
fn is_overdue(written: Option<Timestamp>, listed: Option<Timestamp>) -> bool {
    match (written, listed) {
        (Some(written), Some(listed)) => {
            listed.duration_since(written).unsigned_abs() >= SAFETY_NET
        }
        (None, listed) => listed.is_some(),
        (Some(_), None) => false,
    }
}

/// The interval with a tenth of jitter, so that many repositories do not knock at the same moment; sooner
/// after a failure, backing off.
fn pause(interval: Duration, failures: u32) -> Duration {
    let base = match failures {
        0 => interval,
        count => FIRST_RETRY.saturating_mul(1 << count.min(10)).min(interval.max(FIRST_RETRY)),
    };
    base.mul_f64(0.95 + 0.1 * fastrand::f64())
}
