//! Filling tours again by greedy insertion.

use fastrand::Rng;

use super::{
    problem::{Problem, Role},
    route::{Arena, Entry, Insertion, NONE},
    solution::{Ground, Solution},
};

/// One position in this many is overlooked, so that the same ruin is not always filled the same way.
const BLINK: u32 = 64;

/// In which order stops are offered to the tours.
#[derive(Debug, Clone, Copy)]
enum Order {
    Random,
    /// The highest score first, more or less.
    Score,
    /// The most score, squared, for the time that it takes, more or less.
    Ratio,
    /// The first to close first.
    Closing,
}

/// Room that is used again in each round.
#[derive(Debug, Default)]
pub(super) struct Recreate {
    offers: Vec<(i64, u32)>,
    /// How many positions are looked at before one is overlooked.
    until_blink: u32,
    /// Positions looked at so far.
    pub(super) looked_at: u64,
}

impl Recreate {
    /// Puts what fits of `free` into `solution`; adds the tours that changed to `touched`.
    pub(super) fn fill(
        &mut self,
        ground: &Ground<'_>,
        rng: &mut Rng,
        solution: &mut Solution,
        touched: &mut Vec<usize>,
    ) {
        let Ground { problem, arena, .. } = *ground;
        let order = match rng.u32(..16) {
            0..4 => Order::Random,
            4..8 => Order::Score,
            8..14 => Order::Ratio,
            _ => Order::Closing,
        };
        self.offer(ground, rng, solution, order);
        for index in 0..self.offers.len() {
            let stop = self.offers[index].1;
            let found = self.best(problem, arena, stop, solution, Some(rng));
            let Some((tour, insertion)) = found else { continue };
            let entry = entry_for(problem, arena, stop, solution, tour, insertion.after);
            if let Some(entry) = entry
                && solution.put(problem, arena, tour, entry, insertion)
                && !touched.contains(&tour)
            {
                touched.push(tour);
            }
        }
    }

    /// Puts in what still fits, overlooking nothing: after it, nothing that is left out would fit.
    pub(super) fn fill_up(&mut self, ground: &Ground<'_>, solution: &mut Solution) {
        let Ground { problem, arena, .. } = *ground;
        let mut rng = Rng::with_seed(0);
        loop {
            self.offer(ground, &mut rng, solution, Order::Score);
            let mut any = false;
            for index in 0..self.offers.len() {
                let stop = self.offers[index].1;
                let found = self.best(problem, arena, stop, solution, None);
                let Some((tour, insertion)) = found else { continue };
                let entry = entry_for(problem, arena, stop, solution, tour, insertion.after);
                if let Some(entry) = entry {
                    any |= solution.put(problem, arena, tour, entry, insertion);
                }
            }
            if !any {
                return;
            }
        }
    }

    /// Lists what would fit, in the order in which it is to be offered.
    fn offer(&mut self, ground: &Ground<'_>, rng: &mut Rng, solution: &Solution, order: Order) {
        let Ground { problem, arena, free } = *ground;
        self.offers.clear();
        for &stop in free {
            if solution.holder[stop as usize] != NONE {
                continue;
            }
            let Some((_, found)) = self.best(problem, arena, stop, solution, None) else {
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
    }

    fn best(
        &mut self,
        problem: &Problem,
        arena: &Arena,
        stop: u32,
        solution: &Solution,
        mut blink: Option<&mut Rng>,
    ) -> Option<(usize, Insertion)> {
        let server = problem.stops[stop as usize].role == Role::Server;
        let mut best: Option<(usize, Insertion)> = None;
        for (tour, route) in solution.routes.iter().enumerate() {
            let room = problem.tours[tour].max_metres - route.metres;
            if server {
                for after in 0..route.entries.len() - 1 {
                    self.looked_at += 1;
                    let floating = &route.entries[after + 1];
                    if !floating.floating {
                        continue;
                    }
                    let instead = problem.stops[floating.stop as usize].cost;
                    let Some(entry) = arena.server(stop, floating, tour) else { continue };
                    if solution.affords(problem, stop, tour, instead) {
                        consider(&mut best, route.judge(problem, arena, &entry, after), tour, room);
                    }
                }
                continue;
            }
            let entry = arena.entry(stop, tour);
            if entry.windows.is_empty() || !solution.affords(problem, stop, tour, 0) {
                continue;
            }
            let closing = arena.last_closing(entry.windows);
            let opening = arena.first_opening(entry.windows) + entry.service;
            for after in 0..route.entries.len() - 1 {
                self.looked_at += 1;
                if route.entries[after].depart > closing {
                    break;
                }
                if route.entries[after + 1].latest < opening {
                    continue;
                }
                if let Some(rng) = blink.as_deref_mut() {
                    if self.until_blink == 0 {
                        self.until_blink = rng.u32(..2 * BLINK);
                        continue;
                    }
                    self.until_blink -= 1;
                }
                consider(&mut best, route.judge(problem, arena, entry, after), tour, room);
            }
        }
        best
    }
}

/// Takes `found` for the best when it walks no further than `room` and costs less time.
fn consider(
    best: &mut Option<(usize, Insertion)>,
    found: Option<Insertion>,
    tour: usize,
    room: i64,
) {
    let Some(insertion) = found.filter(|insertion| insertion.metres <= room) else { return };
    if best.is_none_or(|(_, known)| insertion.shift < known.shift) {
        *best = Some((tour, insertion));
    }
}

/// The entry that `stop` has in `tour` after the entry with the index `after`.
fn entry_for(
    problem: &Problem,
    arena: &Arena,
    stop: u32,
    solution: &Solution,
    tour: usize,
    after: usize,
) -> Option<Entry> {
    match problem.stops[stop as usize].role {
        Role::Server => arena.server(stop, &solution.routes[tour].entries[after + 1], tour),
        _ => Some(*arena.entry(stop, tour)),
    }
}
