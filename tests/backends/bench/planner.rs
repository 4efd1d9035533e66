//! The planner on instances with a known optimum, and on a large trip: by the examples of `travel/itinerary`.

use std::{path::Path, process::Command};

use anyhow::{Context as _, ensure};
use mercurious_trials::report::{Section, version};

/// What an example prints.
fn printed(name: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let own = std::env::current_exe().context("cannot find the own file")?;
    let program = own.with_file_name("examples").join(name);
    let output = Command::new(&program).args(arguments).output().with_context(|| {
        format!(
            "cannot run {}: build it with `cargo build -p mercurious-itinerary --example {name}`",
            program.display()
        )
    })?;
    ensure!(output.status.success(), "{name} failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

pub(crate) fn measure(directory: &Path) -> anyhow::Result<Section> {
    let directory = directory.to_str().context("the directory's name is no text")?;
    let mut rows = Vec::new();
    for (text, begins) in
        [(printed("toptw", &[directory, "3"])?, "seed "), (printed("trips", &["5000"])?, "")]
    {
        for line in text.lines().filter(|line| line.starts_with(begins)) {
            let (what, seen) = line.split_once(": ").context("an example says something else")?;
            rows.push((what.to_owned(), seen.to_owned()));
        }
    }
    Ok(Section {
        title: "Planner",
        what: format!(
            "`travel/itinerary/examples/toptw.rs` on the instances named, whose optimum for one tour is known, and \
             `trips.rs`, on one core; milliseconds are of that core. {}",
            version("rustc")
        ),
        rows,
    })
}
