use std::fmt::Write as _;

use crate::Program;

use super::machine;

/// What was measured, as a page.
#[derive(Debug, Default)]
pub struct Page(String);

/// One part of the page.
#[derive(Debug)]
pub struct Section {
    /// Its heading.
    pub title: &'static str,
    /// What was done, in a sentence or two.
    pub what: String,
    /// What was asked for and what was seen.
    pub rows: Vec<(String, String)>,
}

impl Page {
    /// The whole page; [`Page::default`] is for more parts of one.
    pub fn new(program: &Program) -> anyhow::Result<Self> {
        let size = std::fs::metadata(program.path())?.len() as f64 / 1e6;
        Ok(Self(format!(
            "# Benchmarks\n\nWritten by `cargo xtask bench`. Figures are medians with the smallest and largest in \
             parentheses; the machine is shared and noisy, so ratios say more than times.\n\n{}; the program: \
             {size:.1} MB.\n",
            machine::describe()
        )))
    }

    /// Adds a part, and shows it to who waits.
    pub fn section(&mut self, section: Section) {
        let mut text =
            format!("\n## {}\n\n{}\n\n| what | seen |\n|---|---|\n", section.title, section.what);
        for (what, seen) in section.rows {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "| {what} | {seen} |");
        }
        machine::say(&text);
        self.0.push_str(&text);
    }

    /// Prints all of it.
    pub fn print(&self) -> anyhow::Result<()> {
        use std::io::Write as _;
        Ok(std::io::stdout().write_all(self.0.as_bytes())?)
    }
}
