//! Measurements in release builds.

use std::{
    fs,
    process::{Command, Stdio},
};

use anyhow::{Context as _, ensure};

use crate::{cargo, root};

/// The page that all measurements are written to.
const PAGE: &str = "docs/benchmarks.md";

/// Programs that measure: package, binary, and the parts that each knows.
const PROGRAMS: [(&str, &str, &[&str]); 2] = [
    ("mercurious-trials", "bench", &["switches", "endings", "looks", "hooks", "pushes", "proxy"]),
    ("mercurious-cluster", "bench-kubernetes", &["pass", "patches", "taken-back", "controller"]),
];

#[derive(clap::Args)]
pub(crate) struct Bench {
    /// Put what was measured in the place of the page's sections of the same name
    #[arg(long, requires = "parts")]
    update: bool,
    /// Only these parts, printed and not written down: switches, endings, looks, hooks, pushes, proxy; on a real
    /// Kubernetes pass, patches, taken-back, controller
    #[arg(value_parser = known_part)]
    parts: Vec<String>,
}

fn known_part(part: &str) -> Result<String, String> {
    let mut known = PROGRAMS.iter().flat_map(|(_, _, parts)| parts.iter());
    if known.any(|known| *known == part) {
        return Ok(part.to_owned());
    }
    let known: Vec<&str> =
        PROGRAMS.iter().flat_map(|(_, _, parts)| parts.iter().copied()).collect();
    Err(format!("the parts are {}", known.join(", ")))
}

pub(crate) fn run(bench: &Bench) -> anyhow::Result<()> {
    let build = ["build", "--release", "--locked", "--package"];
    cargo(&[&build[..], &["mercurious"]].concat())?;
    let image = ["build", "--profile", "dist", "--no-default-features", "--locked"];
    let mut measured = String::new();
    for (package, binary, known) in PROGRAMS {
        let parts: Vec<&str> =
            known.iter().copied().filter(|part| bench.parts.iter().any(|it| it == part)).collect();
        if parts.is_empty() && !bench.parts.is_empty() {
            continue;
        }
        cargo(&[&build[..], &[package]].concat())?;
        if package == "mercurious-cluster" {
            cargo(&[&image[..], &["--package", "mercurious"]].concat())?;
        }
        measured += &measure(binary, &parts)?;
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

fn measure(binary: &str, parts: &[&str]) -> anyhow::Result<String> {
    let built = root().join("target/release");
    let mut command = Command::new(built.join(binary));
    command.arg("--program").arg(built.join("mercurious"));
    if binary == "bench-kubernetes" {
        // What steers is what the container image holds.
        command.arg("--engine").arg(root().join("target/dist/mercurious"));
    }
    if binary == "bench" && (parts.is_empty() || parts.contains(&"proxy")) {
        let example = ["build", "--release", "--locked", "--package", "mercurious-proxy"];
        cargo(&[&example[..], &["--example", "forward"]].concat())?;
        command.arg("--forward").arg(built.join("examples/forward"));
    }
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
