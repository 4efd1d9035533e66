use jiff::Timestamp;

/// What a reconciler does between two steps: what tells a one-shot run that it may leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rest {
    /// It makes a step, or a rollout is at work.
    Working,
    /// Nothing is at work and nothing is to be done.
    Quiet {
        /// The end of the look that this rests upon; nothing before the first.
        looked_at: Option<Timestamp>,
    },
    /// Its steps fail; it goes on trying.
    Failing {
        /// How many failed in a row.
        times: u32,
        /// Why the newest did.
        message: String,
    },
}
