//! Filling tours again by greedy insertion.

use fastrand::Rng;

use super::{
    problem::{Problem, Role},
    route::{Arena, Entry, Insertion, NONE},
    solution::Solution,
};

/// One position in this many is overlooked, so that the same ruin is not always filled the same way.
const BLINK: u32 = 64;

/// In which order stops are offered to the tours.
#[derive(Debug, Clone, Copy)]
enum Order {
    Random,
    Score,
    Ratio,
    Closing,
}

/// Room that is used again in each round.
#[derive(Debug, Default)]
pub(super) struct Recreate {
    offers: Vec<(i64, u32)>,
    /// Judged insertions so far.
    pub(super) judged: u64,
}

impl Recreate {
    /// Puts what fits of `free` into `solution`; adds the tours that changed to `touched`.
    pub(super) fn fill(
        &mut self,
        problem: &Problem,
        arena: &Arena,
        free: &[u32],
        rng: &mut Rng,
        solution: &mut Solution,
        touched: &mut Vec<usize>,
    ) {
        let order = match rng.u32(..16) {
            0..4 => Order::Random,
            4..8 => Order::Score,
            8..14 => Order::Ratio,
            _ => Order::Closing,
        };
        self.offers.clear();
        for &stop in free {
            if solution.holder[stop as usize] != NONE {
                continue;
            }
            let Some((_, _, found)) = self.best(problem, arena, stop, solution, None) else {
                continue;
            };
            let score = problem.stops[stop as usize].score;
            let key = match order {
                Order::Random => i64::from(rng.u32(..)),
                Order::Score => -score * 64 - i64::from(rng.u32(..)) % (score * 32 + 1),
                Order::Ratio => {
                    let shift = i128::from(found.shift.max(0)) + 1;
                    let noise = 128 + i128::from(rng.u32(..128));
                    let ratio = i128::from(score) * i128::from(score) * noise * 64 / shift;
                    -i64::try_from(ratio).unwrap_or(i64::MAX)
                }
                Order::Closing => (0..problem.tours.len())
                    .map(|tour| i64::from(arena.last_closing(arena.entry(stop, tour).windows)))
                    .max()
                    .unwrap_or(0),
            };
            self.offers.push((key, stop));
        }
        self.offers.sort_unstable();
        for index in 0..self.offers.len() {
            let stop = self.offers[index].1;
            let found = self.best(problem, arena, stop, solution, Some(rng));
            let Some((tour, entry, insertion)) = found else { continue };
            if solution.put(problem, arena, tour, entry, insertion) && !touched.contains(&tour) {
                touched.push(tour);
            }
        }
    }

    fn best(
        &mut self,
        problem: &Problem,
        arena: &Arena,
        stop: u32,
        solution: &Solution,
        mut blink: Option<&mut Rng>,
    ) -> Option<(usize, Entry, Insertion)> {
        let server = problem.stops[stop as usize].role == Role::Server;
        let mut best: Option<(usize, Entry, Insertion)> = None;
        for (tour, route) in solution.routes.iter().enumerate() {
            let room = problem.tours[tour].max_metres - route.metres;
            if server {
                for after in 0..route.entries.len() - 1 {
                    let floating = &route.entries[after + 1];
                    if !floating.floating {
                        continue;
                    }
                    let instead = problem.stops[floating.stop as usize].cost;
                    let Some(entry) = arena.server(stop, floating, tour) else { continue };
                    if solution.affords(problem, stop, tour, instead) {
                        self.consider(problem, arena, &entry, (tour, after, room), solution, &mut best);
                    }
                }
                continue;
            }
            let entry = arena.entry(stop, tour);
            if entry.windows.is_empty() || !solution.affords(problem, stop, tour, 0) {
                continue;
            }
            let closing = arena.last_closing(entry.windows);
            for after in 0..route.entries.len() - 1 {
                if route.entries[after].depart > closing {
                    break;
                }
                if let Some(rng) = blink.as_deref_mut()
                    && rng.u32(..BLINK) == 0
                {
                    continue;
                }
                self.consider(problem, arena, entry, (tour, after, room), solution, &mut best);
            }
        }
        best
    }

    fn consider(
        &mut self,
        problem: &Problem,
        arena: &Arena,
        entry: &Entry,
        (tour, after, room): (usize, usize, i64),
        solution: &Solution,
        best: &mut Option<(usize, Entry, Insertion)>,
    ) {
        self.judged += 1;
        let judged = solution.routes[tour].judge(problem, arena, entry, after);
        let Some(insertion) = judged.filter(|insertion| insertion.metres <= room) else { return };
        if best.is_none_or(|(_, _, known)| insertion.shift < known.shift) {
            *best = Some((tour, *entry, insertion));
        }
    }
}
