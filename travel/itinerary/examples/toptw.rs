//! Measures the planner's search on instances of the team orienteering problem with time windows.
#![expect(clippy::print_stdout, reason = "a program that prints figures")]

use std::{collections::BTreeMap, ops::ControlFlow, path::Path};

use anyhow::Context as _;
use mercurious_itinerary::orienteering::{Problem, Role, Settings, Stop, Tour, Window, solve};

/// Points of an instance: tenths of a unit of time.
pub fn read(text: &str) -> anyhow::Result<(usize, Problem)> {
    let mut lines = text.lines();
    let first = lines.next().context("empty")?;
    let tours = first.split_whitespace().nth(1).context("no v")?.parse::<usize>()?;
    lines.next();
    let mut points = Vec::new();
    for line in lines {
        let numbers = line.split_whitespace().map(str::parse::<f64>).collect::<Result<Vec<_>, _>>()?;
        if numbers.is_empty() { continue }
        let (opens, closes) = (numbers[numbers.len() - 2], numbers[numbers.len() - 1]);
        points.push((numbers[1], numbers[2], numbers[3], numbers[4], opens, closes));
    }
    let tenths = |value: f64| (value * 10.0).round() as i32;
    let times = points.iter().flat_map(|a| points.iter().map(move |b| {
        ((((a.0 - b.0).powi(2) + (a.1 - b.1).powi(2)).sqrt() * 10.0) + 1e-9).floor() as i32
    })).collect();
    let stops = points.iter().enumerate().skip(1).map(|(n, p)| Stop {
        role: Role::Candidate, location: n, service: tenths(p.2), pad: 0, score: p.3.round() as i64,
        cost: 0, category: None, counted: true, windows: vec![vec![Window{opens: tenths(p.4), closes: tenths(p.5)}]; tours], serves: vec![],
    }).collect();
    let tour = Tour { start: 0, end: 0, opens: 0, closes: tenths(points[0].5), max_stops: usize::MAX, max_metres: i64::MAX, budget: i64::MAX, given: vec![] };
    Ok((tours, Problem { locations: points.len(), times, metres: vec![], tours: vec![tour; tours], stops, budget: i64::MAX, categories: 0, category_cap: usize::MAX }))
}

pub fn with_tours(problem: &Problem, count: usize) -> Problem {
    let mut problem = problem.clone();
    problem.tours.truncate(count);
    for stop in &mut problem.stops { stop.windows.truncate(count) }
    problem
}

/// Milliseconds that this thread has had a core for.
pub fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1e6
}

pub fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let directory = args.next().context("usage: toptw DIRECTORY [SEEDS] [EFFORT]")?;
    let seeds = args.next().map_or(Ok(1), |t| t.parse::<u64>())?;
    let effort = args.next().map_or(Ok(20_000_000), |t| t.parse::<u64>())?;
    let path = Path::new(&directory);
    let optimum: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path.join("../optimum.json"))?)?;
    let optimum: BTreeMap<String, i64> = serde_json::from_value(optimum["one_route_optimum"].clone())?;
    let mut names: Vec<_> = std::fs::read_dir(path)?.map(|e| e.unwrap().path()).collect();
    names.sort();
    for seed in 1..=seeds {
        let (mut sum, mut count, mut worst, mut slowest) = (0.0, 0, 0.0_f64, 0.0_f64);
        let (mut share, mut low, mut slow2, mut n) = (0.0, 1.0_f64, 0.0_f64, 0);
        for file in &names {
            let name = file.file_stem().unwrap().to_string_lossy().into_owned();
            let (v, problem) = read(&std::fs::read_to_string(file)?)?;
            let run = |p: &Problem| {
                let begun = cpu();
                let out = solve(p, &Settings { seed, effort }, &mut |_| ControlFlow::Continue(())).unwrap();
                (out, cpu() - begun)
            };
            let (one, ms) = run(&with_tours(&problem, 1));
            let (all, ms2) = run(&problem);
            let total: i64 = problem.stops.iter().map(|s| s.score).sum();
            let got = all.score as f64 / total as f64;
            share += got; low = low.min(got); slow2 = slow2.max(ms2); n += 1;
            let mut gap = f64::NAN;
            if let Some(&opt) = optimum.get(&name) {
                gap = 100.0 * (opt - one.score) as f64 / opt as f64;
                sum += gap; count += 1; worst = worst.max(gap); slowest = slowest.max(ms);
            }
            if seeds == 1 { println!("{name} {} gap {gap:.2} {ms:.0} ms rounds {} | v={v} {:.4} {ms2:.0} ms rounds {}", one.score, one.rounds, got, all.rounds); }
        }
        println!("seed {seed}: mean {:.3} worst {worst:.2} slowest {slowest:.0} ms | v mean {:.4} lowest {low:.4} slowest {slow2:.0}", sum / f64::from(count), share / f64::from(n));
    }
    Ok(())
}
