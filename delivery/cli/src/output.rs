use std::{
    io::{self, Write as _},
    sync::atomic::{AtomicBool, Ordering},
};

use mercurious_engine::{Event, EventKind};
use serde::Serialize;

/// Writes data to standard output; the error of a reader that went away is passed on.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Writes an object as JSON.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    Ok(print(&text)?)
}

/// Writes an object as JSON in one line, for a stream of them.
pub(crate) fn print_json_line(value: &impl Serialize) -> anyhow::Result<()> {
    let mut text = serde_json::to_string(value)?;
    text.push('\n');
    Ok(print(&text)?)
}

/// Whether only failures are told.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Tells only failures from now on.
pub(crate) fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// Talks to the person, on standard error, unless that is not wanted. Who does not listen need not be told.
pub(crate) fn say(text: impl AsRef<str>) {
    if !QUIET.load(Ordering::Relaxed) {
        let _ = writeln!(io::stderr(), "{}", text.as_ref());
    }
}

/// Rows under a heading, in columns as wide as they must be.
pub(crate) fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = heading.iter().map(|text| text.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for (cell, width) in cells.zip(&widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(width + 3 - cell.chars().count()));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    };
    line(&mut heading.iter().copied());
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
    text
}

/// An event of an engine, in a line.
pub(crate) fn describe(event: &Event) -> String {
    let what = match &event.kind {
        EventKind::Decision { reason, message, .. } => format!("{reason}: {message}"),
        EventKind::Found { message } => format!("found {message}"),
        EventKind::LookFailed { message } => format!("look failed: {message}"),
    };
    format!("{}  {what}", event.object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["a".to_owned(), "b".to_owned()], vec!["long".to_owned(), "c".to_owned()]];
        assert_eq!(table(&["X", "Y"], &rows), "X      Y\na      b\nlong   c\n");
    }
}
