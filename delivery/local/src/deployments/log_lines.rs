use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use mercurious_engine::ports::LogTail;
use tokio::sync::broadcast;

/// The newest lines of a Deployment's replicas: those of the newest template, which checks read, and those of
/// replicas that were replaced, which people read to see why.
#[derive(Clone)]
pub(crate) struct LogLines {
    kept: Arc<Mutex<Kept>>,
    coming: broadcast::Sender<String>,
}

/// So many lines are kept of either.
const KEPT: usize = 2000;

/// So many lines may a reader be behind.
const BEHIND: usize = 1024;

#[derive(Default)]
struct Kept {
    revision: String,
    newest: VecDeque<Line>,
    /// Apart, so that a talkative old replica never pushes out what the new ones say.
    earlier: VecDeque<Line>,
    lines: u64,
}

struct Line {
    number: u64,
    text: String,
}

impl Default for LogLines {
    fn default() -> Self {
        Self { kept: Arc::default(), coming: broadcast::channel(BEHIND).0 }
    }
}

impl LogLines {
    /// From now on this revision's lines are the newest template's.
    pub(super) fn begin(&self, revision: &str) {
        let mut kept = self.lock();
        if kept.revision != revision {
            revision.clone_into(&mut kept.revision);
            let former = std::mem::take(&mut kept.newest);
            kept.earlier.extend(former);
            // What an older replica said last may be younger than what the former ones did.
            kept.earlier.make_contiguous().sort_unstable_by_key(|line| line.number);
            let surplus = kept.earlier.len().saturating_sub(KEPT);
            kept.earlier.drain(..surplus);
        }
    }

    pub(super) fn push(&self, revision: &str, text: String) {
        let mut kept = self.lock();
        kept.lines += 1;
        let line = Line { number: kept.lines, text: text.clone() };
        let to = if kept.revision == revision { &mut kept.newest } else { &mut kept.earlier };
        if to.len() == KEPT {
            to.pop_front();
        }
        to.push_back(line);
        // Under the lock, so that a new reader finds each line once. Nobody need listen.
        let _ = self.coming.send(text);
    }

    /// What replicas of the newest template said, oldest first.
    pub(super) fn newest(&self, limit: usize) -> Vec<String> {
        let kept = self.lock();
        let skipped = kept.newest.len().saturating_sub(limit);
        kept.newest.iter().skip(skipped).map(|line| line.text.clone()).collect()
    }

    /// What all replicas said, oldest first, and what they will say.
    pub(super) fn tail(&self, limit: usize) -> LogTail {
        let kept = self.lock();
        let mut lines: Vec<&Line> = kept.earlier.iter().chain(&kept.newest).collect();
        lines.sort_unstable_by_key(|line| line.number);
        let skipped = lines.len().saturating_sub(limit);
        LogTail {
            lines: lines.into_iter().skip(skipped).map(|line| line.text.clone()).collect(),
            coming: self.coming.subscribe(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_crashed_replica_said_stays_and_is_not_the_newest() {
        let lines = LogLines::default();
        lines.begin("good");
        lines.push("good", "serving".to_owned());
        lines.begin("bad");
        lines.push("bad", "crashing".to_owned());
        lines.push("good", "still serving".to_owned());
        assert_eq!(lines.newest(10), ["crashing"]);
        lines.begin("good again");
        assert!(lines.newest(10).is_empty());
        assert_eq!(lines.tail(10).lines, ["serving", "crashing", "still serving"]);
        assert_eq!(lines.tail(1).lines, ["still serving"]);
    }

    #[test]
    fn what_comes_follows_what_was_there() {
        let lines = LogLines::default();
        lines.begin("one");
        lines.push("one", "before".to_owned());
        let mut tail = lines.tail(10);
        lines.push("one", "after".to_owned());
        assert_eq!(tail.lines, ["before"]);
        assert_eq!(tail.coming.try_recv().unwrap(), "after");
    }

    #[test]
    fn lines_are_bounded_and_an_old_replica_pushes_nothing_new_out() {
        let lines = LogLines::default();
        lines.begin("new");
        lines.push("new", "error".to_owned());
        for number in 0..2 * KEPT {
            lines.push("old", number.to_string());
        }
        assert_eq!(lines.newest(10), ["error"]);
        assert_eq!(lines.tail(usize::MAX).lines.len(), KEPT + 1);
    }
}
