//! The search itself.

use std::ops::ControlFlow;

use fastrand::Rng;

use super::{
    obstacle::{Left, obstacle},
    problem::{Problem, ProblemError},
    recreate::Recreate,
    route::{Arena, Entry, NONE, Route, Timed},
    ruin::{Neighbours, ruin},
    solution::{Ground, Solution, Value, free_stops},
};

/// How to search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The same seed gives the same answer.
    pub seed: u64,
    /// How many positions may be looked at before the search ends: some 70 million a second.
    pub effort: u64,
}

impl Settings {
    /// An effort that suffices for a hundred stops, well under 100 ms of one core.
    pub const EFFORT: u64 = 5_000_000;
}

/// What the search has come to, told now and then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Rounds of ruin and recreate so far.
    pub rounds: u64,
    /// Positions looked at so far.
    pub looked_at: u64,
    /// The effort that may be spent.
    pub effort: u64,
    /// The best score so far.
    pub score: i64,
    /// Whether the best score has risen since the last call.
    pub improved: bool,
}

/// What the search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The tours, each stop as early as it can be.
    pub tours: Vec<Vec<Timed>>,
    /// The sum of the scores.
    pub score: i64,
    /// The candidates and servers that are in no tour, and why.
    pub left: Vec<Left>,
    /// Rounds of ruin and recreate.
    pub rounds: u64,
    /// Positions looked at.
    pub looked_at: u64,
    /// Whether it was told to stop before its effort was spent.
    pub interrupted: bool,
}

/// A report is made every this many rounds.
const REPORT: u64 = 64;
/// How much worse a round may leave the tours at the beginning, in hundredths of the median score.
const HEAT: i64 = 300;

/// Searches for tours of the highest total score; `report` may end it at any time with the best so far.
pub fn solve(
    problem: &Problem,
    settings: &Settings,
    report: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Outcome, ProblemError> {
    problem.check()?;
    let arena = Arena::new(problem);
    let given = Solution::given(problem, &arena)?;
    let free = free_stops(problem, &arena);
    let ground = Ground { problem, arena: &arena, free: &free };
    let mut search = Search {
        ground,
        neighbours: Neighbours::new(problem, &free),
        rng: Rng::with_seed(settings.seed),
        recreate: Recreate::default(),
        heat: median(free.iter().map(|&stop| problem.stops[stop as usize].score)).max(1) * HEAT
            / 100,
        rounds: 0,
    };
    let (mut best, interrupted) = search.run(&given, settings.effort, report);
    search.recreate.fill_up(&ground, &mut best);
    let left = free
        .iter()
        .filter(|&&stop| best.holder[stop as usize] == NONE)
        .map(|&stop| Left {
            stop: stop as usize,
            obstacle: obstacle(problem, &arena, &given, &best, stop),
        })
        .collect();
    Ok(Outcome {
        tours: best.routes.iter().map(|route| timed(&route.entries)).collect(),
        score: best.value().score,
        left,
        rounds: search.rounds,
        looked_at: search.recreate.looked_at,
        interrupted,
    })
}

/// Whether a tour can hold what it is given, all other tours aside. The problem must pass its check.
pub(crate) fn holds(problem: &Problem, tour: usize) -> bool {
    let route = Route::given(problem, &Arena::new(problem), tour);
    route.is_some_and(|route| route.cost <= problem.budget)
}

struct Search<'a> {
    ground: Ground<'a>,
    neighbours: Neighbours,
    rng: Rng,
    recreate: Recreate,
    heat: i64,
    rounds: u64,
}

impl Search<'_> {
    /// Rounds of ruin and recreate until the effort is spent, everything is in, or `report` says so.
    fn run(
        &mut self,
        given: &Solution,
        effort: u64,
        report: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> (Solution, bool) {
        let ground = self.ground;
        let Ground { problem, free, .. } = ground;
        let all: i64 = free.iter().map(|&stop| problem.stops[stop as usize].score).sum();
        let goal = all + given.value().score;
        let mut touched = Vec::new();
        let mut current = given.clone();
        self.recreate.fill(&ground, &mut self.rng, &mut current, &mut touched);
        let mut best = current.clone();
        let mut trial = current.clone();
        let mut value = current.value();
        let mut best_value = value;
        let mut improved = true;
        while !free.is_empty() && best_value.score < goal && self.recreate.looked_at < effort {
            if self.rounds.is_multiple_of(REPORT) {
                let progress = Progress {
                    rounds: self.rounds,
                    looked_at: self.recreate.looked_at,
                    effort,
                    score: best_value.score,
                    improved,
                };
                improved = false;
                if report(progress).is_break() {
                    return (best, true);
                }
            }
            self.rounds += 1;
            // A round with nothing to look at is effort too: the search ends in any case.
            self.recreate.looked_at += 1;
            ruin(&ground, &self.neighbours, &mut self.rng, &mut trial, &mut touched);
            self.recreate.fill(&ground, &mut self.rng, &mut trial, &mut touched);
            let found = trial.value();
            if !self.accepts(found, value, effort) {
                trial.take_over(&current, &touched);
                continue;
            }
            current.take_over(&trial, &touched);
            value = found;
            if value.beats(best_value) {
                improved |= value.score > best_value.score;
                best_value = value;
                best.clone_from(&current);
            }
        }
        (best, false)
    }

    /// Anything better, and what is worse by less than a random part of a threshold that falls to nothing.
    fn accepts(&mut self, found: Value, value: Value, effort: u64) -> bool {
        let left = i128::from(effort.saturating_sub(self.recreate.looked_at));
        let draw = self.rng.u32(..);
        // What is left, in parts of 2^20: squared, so that the end is long and cool.
        let share = (left << 20) / i128::from(effort.max(1));
        let most = (i128::from(self.heat) * share * share) >> 40;
        let slack = (most * i128::from(draw)) >> 32;
        // No more than the heat, which is an `i64`.
        let bar = value.score - slack as i64;
        found.score > bar
            || (found.score == bar && (slack > 0 || found.travel <= value.travel))
            || (found.score == value.score && draw.is_multiple_of(4))
    }
}

fn median(values: impl Iterator<Item = i64>) -> i64 {
    let mut values: Vec<i64> = values.collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

fn timed(entries: &[Entry]) -> Vec<Timed> {
    entries[1..entries.len() - 1]
        .iter()
        .map(|entry| Timed {
            stop: entry.stop as usize,
            serving: (entry.serving != NONE).then_some(entry.serving as usize),
            start: entry.start,
            end: entry.depart,
        })
        .collect()
}
