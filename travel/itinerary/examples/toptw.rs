//! Measures the planner's search on instances of the team orienteering problem with time windows.
//!
//! `toptw DIRECTORY [SEEDS [EFFORT [FIRST_SEED]]]` reads every `*.txt` in DIRECTORY (`k v N t`, a line that is skipped,
//! then `i x y service score f a list… opens closes`) and, beside it or in it, `optimum.json` with the known
//! optimum for one tour. It prints the gap for one tour and the share of the total score for `v` tours.
#![expect(clippy::print_stdout, reason = "a program that prints figures")]

mod measure;

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use measure::measured;
use mercurious_itinerary::orienteering::{Problem, Role, Settings, Stop, Tour, Window, solve};

struct Instance {
    name: String,
    /// With `v` tours.
    problem: Problem,
    optimum: Option<i64>,
}

struct Run {
    score: i64,
    milliseconds: f64,
}

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let directory =
        arguments.next().context("usage: toptw DIRECTORY [SEEDS [EFFORT [FIRST_SEED]]]")?;
    let seeds = number(arguments.next(), 1)?;
    let effort = number(arguments.next(), Settings::EFFORT)?;
    let first = number(arguments.next(), 1)?;
    let instances = read_all(Path::new(&directory))?;
    println!("{} instances, effort {effort}", instances.len());
    for seed in first..first.saturating_add(seeds) {
        measure(&instances, Settings { seed, effort }, seeds == 1)?;
    }
    Ok(())
}

fn number(argument: Option<String>, default: u64) -> anyhow::Result<u64> {
    argument.map_or(Ok(default), |text| text.parse().with_context(|| format!("{text}: no number")))
}

fn measure(instances: &[Instance], settings: Settings, each: bool) -> anyhow::Result<()> {
    let (mut gaps, mut shares, mut slowest, mut slowest_all) = (vec![], vec![], 0.0_f64, 0.0_f64);
    if each {
        println!("instance  optimum  found  gap %     ms |  v  share of total     ms");
    }
    for instance in instances {
        let one = run(&with_tours(&instance.problem, 1), settings)?;
        let all = run(&instance.problem, settings)?;
        let total: i64 = instance.problem.stops.iter().map(|stop| stop.score).sum();
        let share = all.score as f64 / total as f64;
        shares.push(share);
        slowest = slowest.max(one.milliseconds);
        slowest_all = slowest_all.max(all.milliseconds);
        let (optimum, gap) = instance.optimum.map_or(("unknown".to_owned(), f64::NAN), |optimum| {
            (optimum.to_string(), 100.0 * (optimum - one.score) as f64 / optimum as f64)
        });
        if instance.optimum.is_some() {
            gaps.push(gap);
        }
        if each {
            println!(
                "{:<8} {optimum:>8} {:>6} {gap:>6.2} {:>6.1} | {:>2} {share:>15.4} {:>6.1}",
                instance.name,
                one.score,
                one.milliseconds,
                instance.problem.tours.len(),
                all.milliseconds
            );
        }
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    println!(
        "seed {}: one tour ({} known optima): mean gap {:.3} %, worst {:.2} %, slowest {slowest:.1} ms; \
         v tours: mean share {:.4}, lowest {:.4}, slowest {slowest_all:.1} ms",
        settings.seed,
        gaps.len(),
        mean(&gaps),
        gaps.iter().copied().fold(0.0, f64::max),
        mean(&shares),
        shares.iter().copied().fold(1.0, f64::min),
    );
    Ok(())
}

fn run(problem: &Problem, settings: Settings) -> anyhow::Result<Run> {
    let (outcome, milliseconds) =
        measured(|| solve(problem, &settings, &mut |_| ControlFlow::Continue(())));
    Ok(Run { score: outcome?.score, milliseconds })
}

fn with_tours(problem: &Problem, count: usize) -> Problem {
    let mut problem = problem.clone();
    problem.tours.truncate(count);
    for stop in &mut problem.stops {
        stop.windows.truncate(count);
    }
    problem
}

fn read_all(directory: &Path) -> anyhow::Result<Vec<Instance>> {
    let entries = std::fs::read_dir(directory)
        .with_context(|| format!("cannot read the instances' directory {}", directory.display()))?;
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    ensure!(!files.is_empty(), "no *.txt in {}", directory.display());
    let optima = optima(directory)?;
    files
        .iter()
        .map(|file| {
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(file)?;
            let problem = read(&text).with_context(|| format!("{}", file.display()))?;
            Ok(Instance { optimum: optima.get(&name).copied(), name, problem })
        })
        .collect()
}

fn optima(directory: &Path) -> anyhow::Result<BTreeMap<String, i64>> {
    for path in [directory.join("optimum.json"), directory.join("../optimum.json")] {
        if let Ok(text) = std::fs::read_to_string(&path) {
            let value: serde_json::Value = serde_json::from_str(&text)?;
            return serde_json::from_value(value["one_route_optimum"].clone())
                .with_context(|| format!("{}: no one_route_optimum", path.display()));
        }
    }
    println!("no optimum.json: gaps are unknown");
    Ok(BTreeMap::new())
}

/// An instance, its times in tenths; distances are cut to one decimal.
fn read(text: &str) -> anyhow::Result<Problem> {
    let mut lines = text.lines();
    let first = lines.next().context("it is empty")?;
    let tours: usize =
        first.split_whitespace().nth(1).context("no v in the first line")?.parse()?;
    lines.next();
    let mut points = Vec::new();
    for line in lines.filter(|line| !line.trim().is_empty()) {
        let numbers: Vec<f64> = line
            .split_whitespace()
            .map(str::parse)
            .collect::<Result<_, _>>()
            .context(line.to_owned())?;
        ensure!(numbers.len() >= 8, "too few numbers: {line}");
        points.push(numbers);
    }
    let tenths = |value: f64| (value * 10.0).round() as i32;
    let last = |point: &[f64], back: usize| tenths(point[point.len() - back]);
    // The square root of a whole number of tenths may come out a hair below it.
    let distance =
        |a: &[f64], b: &[f64]| ((a[1] - b[1]).hypot(a[2] - b[2]) * 10.0 + 1e-9).floor() as i32;
    let times = points.iter().flat_map(|a| points.iter().map(|b| distance(a, b))).collect();
    let stops = (points.iter().enumerate().skip(1))
        .map(|(location, point)| Stop {
            role: Role::Candidate,
            location,
            service: tenths(point[3]),
            pad: 0,
            score: point[4].round() as i64,
            cost: 0,
            category: None,
            counted: false,
            windows: vec![vec![Window { opens: last(point, 2), closes: last(point, 1) }]; tours],
            serves: Vec::new(),
        })
        .collect();
    let tour = Tour {
        start: 0,
        end: 0,
        opens: 0,
        closes: last(points.first().context("no points")?, 1),
        max_stops: usize::MAX,
        max_metres: i64::MAX / 4,
        budget: i64::MAX,
        given: Vec::new(),
    };
    Ok(Problem {
        locations: points.len(),
        times,
        metres: Vec::new(),
        tours: vec![tour; tours],
        stops,
        budget: i64::MAX,
        categories: 0,
        category_cap: usize::MAX,
    })
}
