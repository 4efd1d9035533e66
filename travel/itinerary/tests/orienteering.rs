//! The search against an exact answer, on problems small enough to try everything.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic")]

use std::ops::ControlFlow;

use fastrand::Rng;
use mercurious_itinerary::orienteering::{
    Problem, ProblemError, Role, Settings, Stop, Tour, UNREACHABLE, Window, solve,
};

fn problem(seed: u64, count: usize, tours: usize) -> Problem {
    let mut rng = Rng::with_seed(seed);
    let points: Vec<(i32, i32)> = (0..=count).map(|_| (rng.i32(0..100), rng.i32(0..100))).collect();
    let times = points
        .iter()
        .flat_map(|a| points.iter().map(move |b| (a.0 - b.0).abs() + (a.1 - b.1).abs()))
        .collect();
    let stops = (1..=count)
        .map(|location| Stop {
            role: Role::Candidate,
            location,
            service: rng.i32(0..30),
            pad: rng.i32(0..3),
            score: rng.i64(1..50),
            cost: rng.i64(0..10),
            category: None,
            counted: true,
            windows: (0..tours)
                .map(|_| {
                    let opens = rng.i32(0..250);
                    let closes = opens + rng.i32(10..120);
                    let later = closes + rng.i32(10..60);
                    vec![Window { opens, closes }, Window { opens: later, closes: later + 40 }]
                })
                .collect(),
            serves: Vec::new(),
        })
        .collect();
    let tour = Tour {
        start: 0,
        end: 0,
        opens: 0,
        closes: 400,
        max_stops: 6,
        max_metres: i64::MAX / 4,
        budget: i64::MAX,
        given: Vec::new(),
    };
    Problem {
        locations: count + 1,
        times,
        metres: Vec::new(),
        tours: vec![tour; tours],
        stops,
        budget: 35,
        categories: 0,
        category_cap: usize::MAX,
    }
}

/// The best score, by trying every order of every set.
fn exact(problem: &Problem, tour: usize, used: u32, cost: i64, state: (usize, i32, usize)) -> i64 {
    let (at, now, held) = state;
    let time = |from: usize, to: usize| problem.times[from * problem.locations + to];
    let mut best = i64::MIN;
    if now + time(at, 0) <= problem.tours[tour].closes {
        best = if tour + 1 < problem.tours.len() {
            exact(problem, tour + 1, used, cost, (0, 0, 0))
        } else {
            0
        };
    }
    if held == problem.tours[tour].max_stops {
        return best;
    }
    for (number, stop) in problem.stops.iter().enumerate() {
        if used & (1 << number) != 0 || cost + stop.cost > problem.budget {
            continue;
        }
        let arrival = now + time(at, stop.location) + stop.pad;
        let window = stop.windows[tour].iter().find(|window| arrival <= window.closes);
        let Some(window) = window else { continue };
        let depart = arrival.max(window.opens) + stop.service;
        let used = used | (1 << number);
        let rest = exact(problem, tour, used, cost + stop.cost, (stop.location, depart, held + 1));
        best = best.max(rest.saturating_add(stop.score));
    }
    best
}

fn best(problem: &Problem) -> i64 {
    let settings = Settings { seed: 1, effort: 100_000 };
    solve(problem, &settings, &mut |_| ControlFlow::Continue(())).unwrap().score
}

#[test]
fn one_tour_of_small_problems_is_solved_exactly() {
    for seed in 0..40 {
        let problem = problem(seed, 9, 1);
        assert_eq!(best(&problem), exact(&problem, 0, 0, 0, (0, 0, 0)), "seed {seed}");
    }
}

#[test]
fn two_tours_of_small_problems_are_solved_exactly() {
    for seed in 100..120 {
        let problem = problem(seed, 7, 2);
        assert_eq!(best(&problem), exact(&problem, 0, 0, 0, (0, 0, 0)), "seed {seed}");
    }
}

#[test]
fn a_problem_that_makes_no_sense_is_refused_by_name() {
    let settings = Settings { seed: 1, effort: 10 };
    let refused = |change: &dyn Fn(&mut Problem)| {
        let mut problem = problem(1, 3, 1);
        change(&mut problem);
        solve(&problem, &settings, &mut |_| ControlFlow::Continue(())).unwrap_err()
    };
    let short = refused(&|problem| {
        problem.times.pop();
    });
    assert_eq!(short, ProblemError::Length { what: "times", found: 15, expected: 16 });
    let backwards = refused(&|problem| problem.tours[0].opens = 401);
    assert_eq!(backwards, ProblemError::EndsBeforeStart { tour: 0 });
    let windows = refused(&|problem| problem.stops[2].windows[0].reverse());
    assert_eq!(windows, ProblemError::Windows { stop: 2 });
    let nowhere = refused(&|problem| problem.stops[2].location = 4);
    assert_eq!(nowhere, ProblemError::Index { what: "location", index: 4 });
    let given = refused(&|problem| {
        problem.stops[0].role = Role::Fixed;
        problem.times = vec![UNREACHABLE; 16];
        problem.tours[0].given = vec![0];
    });
    assert_eq!(given, ProblemError::Given { tour: 0 });
}

#[test]
fn a_search_without_effort_still_fills_its_tours() {
    let problem = problem(5, 9, 1);
    let settings = Settings { seed: 1, effort: 0 };
    let outcome = solve(&problem, &settings, &mut |_| ControlFlow::Continue(())).unwrap();
    assert!(outcome.score > 0 && outcome.rounds == 0 && !outcome.interrupted);
}
