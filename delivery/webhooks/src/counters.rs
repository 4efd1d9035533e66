use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::Sender;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Accepted,
    Ignored,
    Duplicate,
    Foreign,
    Unknown,
    Refused,
    Unready,
    Malformed,
    TooLarge,
    TooSlow,
    Limited,
}

impl Outcome {
    const ALL: [Self; 11] = [
        Self::Accepted,
        Self::Ignored,
        Self::Duplicate,
        Self::Foreign,
        Self::Unknown,
        Self::Refused,
        Self::Unready,
        Self::Malformed,
        Self::TooLarge,
        Self::TooSlow,
        Self::Limited,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Ignored => "ignored",
            Self::Duplicate => "duplicate",
            Self::Foreign => "foreign",
            Self::Unknown => "unknown",
            Self::Refused => "refused",
            Self::Unready => "unready",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::Limited => "limited",
        }
    }
}

/// Requests by sender and outcome: both are words of this program, so that nobody can make more of them.
#[derive(Debug, Default)]
pub(crate) struct Counters([[AtomicU64; Outcome::ALL.len()]; Sender::ALL.len() + 1]);

impl Counters {
    /// Counts one; a request to no receiver has no sender.
    pub(crate) fn count(&self, sender: Option<Sender>, outcome: Outcome) {
        let row = sender.map_or(Sender::ALL.len(), |sender| sender as usize);
        self.0[row][outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// In Prometheus' text format. What never happened is left out.
    pub(crate) fn text(&self) -> String {
        let name = "mercurious_webhooks_total";
        let mut text = format!(
            "# HELP {name} Notifications received, by sender and outcome.\n# TYPE {name} counter\n"
        );
        for (row, counts) in self.0.iter().enumerate() {
            let sender = Sender::ALL.get(row).map_or("none", |sender| sender.as_str());
            for outcome in Outcome::ALL {
                let count = counts[outcome as usize].load(Ordering::Relaxed);
                if count > 0 {
                    let outcome = outcome.as_str();
                    let _ = writeln!(
                        text,
                        "{name}{{sender=\"{sender}\",outcome=\"{outcome}\"}} {count}"
                    );
                }
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sender_and_outcome_has_a_place_of_its_own() {
        let counters = Counters::default();
        for sender in Sender::ALL.into_iter().map(Some).chain([None]) {
            for outcome in Outcome::ALL {
                counters.count(sender, outcome);
            }
        }
        let text = counters.text();
        assert_eq!(text.lines().filter(|line| line.ends_with("} 1")).count(), 14 * 11, "{text}");
    }
}
