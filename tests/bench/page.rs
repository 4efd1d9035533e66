use std::fmt::Write as _;

use mercurious_trials::Program;

use crate::machine;

/// What was measured, as a page.
pub(crate) struct Page(String);

/// One part of the page.
pub(crate) struct Section {
    pub(crate) title: &'static str,
    /// What was done, in a sentence or two.
    pub(crate) what: String,
    /// What was asked for and what was seen.
    pub(crate) rows: Vec<(String, String)>,
}

impl Page {
    pub(crate) fn new(program: &Program) -> anyhow::Result<Self> {
        let size = std::fs::metadata(program.path())?.len() as f64 / 1e6;
        Ok(Self(format!(
            "# Benchmarks\n\nWritten by `cargo xtask bench`. Figures are medians with the smallest and largest in \
             parentheses; the machine is shared and noisy, so ratios say more than times.\n\n{}; the program: \
             {size:.1} MB.\n",
            machine::describe()
        )))
    }

    pub(crate) fn section(&mut self, section: Section) {
        let mut text =
            format!("\n## {}\n\n{}\n\n| what | seen |\n|---|---|\n", section.title, section.what);
        for (what, seen) in section.rows {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "| {what} | {seen} |");
        }
        machine::say(&text);
        self.0.push_str(&text);
    }

    pub(crate) fn print(&self) -> anyhow::Result<()> {
        use std::io::Write as _;
        Ok(std::io::stdout().write_all(self.0.as_bytes())?)
    }
}
