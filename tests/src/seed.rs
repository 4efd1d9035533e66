use fastrand::Rng;

/// Every random choice of a run, from one seed: the same seed chooses the same.
#[derive(Clone, Debug)]
pub struct Chance {
    /// What it began with.
    pub seed: u64,
    random: Rng,
}

impl Chance {
    /// From the variable `MERCURIOUS_TRIALS_SEED`, else from nothing that is known before. Prints the seed.
    #[expect(
        clippy::print_stderr,
        reason = "a failed run is repeated with the seed that it printed"
    )]
    pub fn new() -> Self {
        let seed = setting("MERCURIOUS_TRIALS_SEED").unwrap_or_else(|| fastrand::u64(..));
        eprintln!("MERCURIOUS_TRIALS_SEED={seed}");
        Self::of(seed)
    }

    /// From this seed.
    pub fn of(seed: u64) -> Self {
        Self { seed, random: Rng::with_seed(seed) }
    }

    /// Another one, of its own, for work beside this.
    #[must_use]
    pub fn split(&mut self) -> Self {
        Self::of(self.random.u64(..))
    }

    /// One number of this range.
    pub fn number(&mut self, range: std::ops::Range<u64>) -> u64 {
        self.random.u64(range)
    }

    /// One of these.
    pub fn one_of<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        self.random.choice(choices)
    }

    /// How many kills a run at random moments makes: the variable `MERCURIOUS_TRIALS_KILLS`, else this many.
    pub fn kills(usual: u64) -> u64 {
        setting("MERCURIOUS_TRIALS_KILLS").unwrap_or(usual)
    }
}

impl Default for Chance {
    fn default() -> Self {
        Self::new()
    }
}

#[expect(clippy::disallowed_methods, reason = "these are the settings of the trials")]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
