//! The search itself.

use std::ops::ControlFlow;

use fastrand::Rng;

use super::{
    problem::{Problem, ProblemError, StopId},
    recreate::Recreate,
    route::{Arena, NONE, Timed},
    ruin::{Neighbours, ruin},
    solution::{Solution, free_stops},
};

/// How to search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The same seed gives the same answer.
    pub seed: u64,
    /// How many insertions may be judged before the search ends; some hundred million a second.
    pub effort: u64,
}

/// What the search has come to, told now and then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Rounds of ruin and recreate so far.
    pub rounds: u64,
    /// Insertions judged so far.
    pub judged: u64,
    /// The best score so far.
    pub score: i64,
    /// Whether the best score has risen since the last call.
    pub improved: bool,
}

/// What the search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The tours, their starts as early as they can be.
    pub tours: Vec<Vec<Timed>>,
    /// The sum of the scores.
    pub score: i64,
    /// The candidates that are in no tour.
    pub left: Vec<StopId>,
    /// Rounds of ruin and recreate.
    pub rounds: u64,
    /// Insertions judged.
    pub judged: u64,
    /// Whether it was told to stop before its effort was spent.
    pub interrupted: bool,
}

/// A report is made every this many rounds.
const REPORT: u64 = 64;

/// Searches for tours of the highest total score; `report` may end it at any time with the best so far.
pub fn solve(
    problem: &Problem,
    settings: &Settings,
    report: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Outcome, ProblemError> {
    problem.check()?;
    let arena = Arena::new(problem);
    let mut current = Solution::given(problem, &arena)?;
    let free = free_stops(problem, &arena);
    let all: i64 = free.iter().map(|&stop| problem.stops[stop as usize].score).sum();
    let goal = all + current.value().score;
    let mut rng = Rng::with_seed(settings.seed);
    let mut recreate = Recreate::default();
    let mut touched = Vec::new();
    recreate.fill(problem, &arena, &free, &mut rng, &mut current, &mut touched);

    let neighbours = Neighbours::new(problem, &free);
    let mut best = current.clone();
    let mut trial = current.clone();
    let mut value = current.value();
    let mut best_value = value;
    let mut rounds = 0;
    let mut improved = true;
    let mut interrupted = false;
    let mean = (all / free.len().max(1) as i64).max(1);
    let t0: i64 = option_env!("T0").map_or(100, |t| t.parse().unwrap());
    while !free.is_empty() && best_value.score < goal && recreate.judged < settings.effort {
        if rounds % REPORT == 0 {
            let progress =
                Progress { rounds, judged: recreate.judged, score: best_value.score, improved };
            improved = false;
            if report(progress).is_break() {
                interrupted = true;
                break;
            }
        }
        rounds += 1;
        recreate.judged += 1;
        ruin(problem, &arena, &neighbours, &free, &mut rng, &mut trial, &mut touched);
        recreate.fill(problem, &arena, &free, &mut rng, &mut trial, &mut touched);
        let found = trial.value();
        let left = (settings.effort.saturating_sub(recreate.judged)) as i128;
        let threshold = (i128::from(mean) * i128::from(t0) * left / i128::from(settings.effort) / 100) as i64;
        let bar = value.score - (i128::from(threshold) * i128::from(rng.u32(..)) / (1 << 32)) as i64;
        if found.score > bar || (found.score == bar && (found.score < value.score || found.travel <= value.travel || rng.u32(..4)==0)) {
            for &tour in &touched {
                current.copy_route(&trial, tour);
            }
            current.holder.clone_from(&trial.holder);
            current.cost = trial.cost;
            value = found;
            if value.beats(best_value) {
                improved |= value.score > best_value.score;
                best_value = value;
                best.clone_from(&current);
            }
        } else {
            for &tour in &touched {
                trial.copy_route(&current, tour);
            }
            trial.holder.clone_from(&current.holder);
            trial.cost = current.cost;
        }
    }
    Ok(Outcome {
        tours: best.routes.iter().map(|route| timed(&route.entries)).collect(),
        score: best_value.score,
        left: free
            .iter()
            .filter(|&&stop| best.holder[stop as usize] == NONE)
            .map(|&stop| stop as usize)
            .collect(),
        rounds,
        judged: recreate.judged,
        interrupted,
    })
}

fn timed(entries: &[super::route::Entry]) -> Vec<Timed> {
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
