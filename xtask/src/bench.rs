//! Measurements in release builds.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, ensure};

use crate::{cargo, root};

/// The page that all measurements are written to.
const PAGE: &str = "docs/benchmarks.md";

/// Programs that measure.
const PROGRAMS: [Program; 3] = [
    Program {
        package: "mercurious-trials",
        binary: "bench",
        parts: &["switches", "endings", "looks", "hooks", "pushes", "proxy"],
        needs: &[&["--package", "mercurious-proxy", "--example", "forward"]],
    },
    Program {
        package: "mercurious-cluster",
        binary: "bench-kubernetes",
        parts: &["pass", "patches", "taken-back", "controller"],
        // What steers is what the container image holds.
        needs: &[&[
            "--package",
            "mercurious",
            "--profile",
            "dist",
            "--no-default-features",
            "--features",
            "lean",
        ]],
    },
    Program {
        package: "mercurious-backends",
        binary: "bench-travel",
        parts: &["trips", "accepting", "streams", "sizes", "planner"],
        needs: &[
            &["--package", "mercurious-api-gateway"],
            &["--package", "mercurious-enrichment"],
            &["--package", "mercurious-generation"],
            &["--package", "mercurious-broker"],
            &["--package", "mercurious-itinerary", "--examples"],
        ],
    },
];

/// A program that measures.
struct Program {
    package: &'static str,
    binary: &'static str,
    /// What it knows to measure.
    parts: &'static [&'static str],
    /// What is built beside it, in a release build unless it says otherwise.
    needs: &'static [&'static [&'static str]],
}

#[derive(clap::Args)]
pub(crate) struct Bench {
    /// Put what was measured in the place of the page's sections of the same name
    #[arg(long, requires = "parts")]
    update: bool,
    /// Instances of the team orienteering problem with time windows, for `planner`: `travel/itinerary/examples/toptw.rs`
    /// says in which format
    #[arg(long, value_name = "DIRECTORY")]
    toptw: Option<PathBuf>,
    /// Only these parts, printed and not written down: switches, endings, looks, hooks, pushes, proxy; on a real
    /// Kubernetes pass, patches, taken-back, controller; of the travel platform trips, accepting, streams, sizes, planner
    #[arg(value_parser = known_part)]
    parts: Vec<String>,
}

fn known_part(part: &str) -> Result<String, String> {
    let known: Vec<&str> =
        PROGRAMS.iter().flat_map(|program| program.parts.iter().copied()).collect();
    if known.contains(&part) {
        return Ok(part.to_owned());
    }
    Err(format!("the parts are {}", known.join(", ")))
}

pub(crate) fn run(bench: &Bench) -> anyhow::Result<()> {
    build(&["--package", "mercurious"])?;
    let mut measured = String::new();
    for program in PROGRAMS {
        let named = |part: &&str| bench.parts.iter().any(|it| it == part);
        let parts: Vec<&str> = program.parts.iter().copied().filter(named).collect();
        if parts.is_empty() && !bench.parts.is_empty() {
            continue;
        }
        build(&["--package", program.package, "--bins"])?;
        for need in program.needs {
            build(need)?;
        }
        measured += &measure(&program, bench, &parts)?;
    }
    let page = root().join(PAGE);
    if bench.parts.is_empty() {
        fs::write(page, measured)?;
    } else if bench.update {
        let before = fs::read_to_string(&page).with_context(|| format!("cannot read {PAGE}"))?;
        fs::write(page, updated(&before, &measured))?;
    } else {
        print(&measured)?;
    }
    Ok(())
}

fn build(what: &[&str]) -> anyhow::Result<()> {
    let profile: &[&str] = if what.contains(&"--profile") { &[] } else { &["--release"] };
    cargo(&[&["build", "--locked"], profile, what].concat())
}

fn measure(program: &Program, bench: &Bench, parts: &[&str]) -> anyhow::Result<String> {
    let (built, binary) = (root().join("target/release"), program.binary);
    let mut command = Command::new(built.join(binary));
    if binary != "bench-travel" {
        command.arg("--program").arg(built.join("mercurious"));
    }
    match binary {
        "bench" => command.arg("--forward").arg(built.join("examples/forward")),
        "bench-kubernetes" => command.arg("--engine").arg(root().join("target/dist/mercurious")),
        _ => command
            .args(bench.toptw.iter().flat_map(|place| ["--toptw".as_ref(), place.as_os_str()])),
    };
    let output = command
        .args(parts)
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {binary}"))?;
    ensure!(output.status.success(), "the measurements of {binary} failed");
    String::from_utf8(output.stdout).context("the page is not text")
}

/// The page with these sections in the place of those of the same name; new ones come last.
fn updated(page: &str, measured: &str) -> String {
    let (head, mut sections) = taken_apart(page);
    for (title, text) in taken_apart(measured).1 {
        match sections.iter_mut().find(|(known, _)| *known == title) {
            Some(section) => section.1 = text,
            None => sections.push((title, text)),
        }
    }
    let mut all = head.trim_end().to_owned();
    all.push('\n');
    for (_, text) in sections {
        all.push('\n');
        all.push_str(text.trim_end());
        all.push('\n');
    }
    all
}

/// What stands before the first section, and each section with its title.
fn taken_apart(page: &str) -> (&str, Vec<(&str, &str)>) {
    const HEADING: &str = "\n## ";
    let mut pieces = page.match_indices(HEADING).map(|(at, _)| at + 1).chain([page.len()]);
    let first = pieces.next().unwrap_or(page.len());
    let mut sections = Vec::new();
    let mut begin = first;
    for end in pieces {
        let text = &page[begin..end];
        sections.push((text.lines().next().unwrap_or_default(), text));
        begin = end;
    }
    (&page[..first], sections)
}

fn print(measured: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    Ok(std::io::stdout().write_all(measured.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_takes_the_place_of_its_namesake_and_a_new_one_comes_last() {
        let page = "# All\n\nhead\n\n## One\n\n1\n\n## Two\n\n2\n";
        let measured = "\n## Two\n\n22\n\n## Three\n\n3\n";
        assert_eq!(
            updated(page, measured),
            "# All\n\nhead\n\n## One\n\n1\n\n## Two\n\n22\n\n## Three\n\n3\n"
        );
        assert_eq!(updated("# All\n", measured), "# All\n\n## Two\n\n22\n\n## Three\n\n3\n");
    }
}
