//! Taking strings of neighbouring stops out of tours.

use fastrand::Rng;

use super::{
    problem::Problem,
    route::NONE,
    solution::{Ground, Solution},
};

/// The longest string that is taken out of one tour.
const LONGEST: usize = 10;
/// How many stops are taken out on average, tours permitting.
const AVERAGE: usize = 10;
/// How many neighbours of a stop are looked at.
const NEIGHBOURS: usize = 100;

/// For each free stop, the free stops near it, nearest first.
#[derive(Debug)]
pub(super) struct Neighbours {
    near: Vec<Vec<u32>>,
}

impl Neighbours {
    pub(super) fn new(problem: &Problem, free: &[u32]) -> Self {
        let mut near = vec![Vec::new(); problem.stops.len()];
        let location = |stop: u32| problem.stops[stop as usize].location as u32;
        let mut keyed: Vec<(i64, u32)> = Vec::with_capacity(free.len());
        for &stop in free {
            keyed.clear();
            keyed.extend(free.iter().map(|&other| {
                let there = problem.time(location(stop), location(other));
                let back = problem.time(location(other), location(stop));
                (i64::from(there) + i64::from(back), other)
            }));
            if keyed.len() > NEIGHBOURS {
                keyed.select_nth_unstable(NEIGHBOURS);
                keyed.truncate(NEIGHBOURS);
            }
            keyed.sort_unstable();
            near[stop as usize] = keyed.iter().map(|&(_, other)| other).collect();
        }
        Self { near }
    }
}

/// Takes strings of stops near a random one out of `solution`; says from which tours in `touched`.
pub(super) fn ruin(
    ground: &Ground<'_>,
    neighbours: &Neighbours,
    rng: &mut Rng,
    solution: &mut Solution,
    touched: &mut Vec<usize>,
) {
    let Ground { problem, arena, free } = *ground;
    touched.clear();
    let held: usize = solution.routes.iter().map(|route| route.entries.len() - 2).sum();
    let used = solution.routes.iter().filter(|route| route.entries.len() > 2).count().max(1);
    let longest = LONGEST.min(held / used).max(1);
    let most = (4 * AVERAGE / (1 + longest)).saturating_sub(1).max(1);
    let strings = rng.usize(1..=most);
    let seed = free[rng.usize(..free.len())];
    for &stop in &neighbours.near[seed as usize] {
        if touched.len() >= strings {
            break;
        }
        let tour = solution.holder[stop as usize];
        if tour == NONE || touched.contains(&(tour as usize)) {
            continue;
        }
        let tour = tour as usize;
        touched.push(tour);
        let entries = &solution.routes[tour].entries;
        let Some(at) = entries.iter().position(|entry| entry.stop == stop) else { continue };
        let inner = entries.len() - 2;
        let length = rng.usize(1..=longest.min(inner));
        // A split string keeps `kept` stops somewhere in its middle.
        let kept =
            if length > 1 && rng.bool() { rng.usize(0..=(inner - length).min(length)) } else { 0 };
        let span = length + kept;
        let first = at.saturating_sub(span - 1).max(1);
        let last = at.min(inner + 1 - span).max(first);
        let from = rng.usize(first..=last);
        let keep_from = from + rng.usize(0..=length);
        solution.take(problem, arena, tour, |index| {
            (from..from + span).contains(&index) && !(keep_from..keep_from + kept).contains(&index)
        });
    }
}
