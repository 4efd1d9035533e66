//! Every command that a page or a message tells people to type is one that the program understands.

#![expect(clippy::unwrap_used, reason = "tests, and what only they call")]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

/// The program's own help, by command.
#[derive(Default)]
struct Help(BTreeMap<String, Option<String>>);

impl Help {
    fn of(&mut self, command: &str) -> Option<&str> {
        let ask = || {
            let output = Command::new(env!("CARGO_BIN_EXE_mercurious"))
                .args([command, "--help"])
                .output()
                .unwrap();
            output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
        };
        self.0.entry(command.to_owned()).or_insert_with(ask).as_deref()
    }

    /// What is wrong with a command line: the words after the program's name.
    fn fault(&mut self, line: &str) -> Option<String> {
        let mut words = line.split_whitespace().map(|word| {
            word.trim_matches(|letter: char| "[](),.;:…'\"".contains(letter)).to_owned()
        });
        let command = words.next()?;
        let Some(help) = self.of(&command) else {
            return Some(format!("there is no command {command}"));
        };
        let known: Vec<&str> = help
            .split(|letter: char| letter.is_whitespace() || ",=[]<".contains(letter))
            .filter(|word| word.starts_with('-'))
            .collect();
        words
            .map(|word| word.split('=').next().unwrap_or_default().to_owned())
            .filter(|word| word.len() > 1 && word.starts_with('-') && word != "--")
            .find(|word| !known.contains(&word.as_str()))
            .map(|word| format!("{command} has no {word}"))
    }
}

/// Command lines of a page: in blocks of code, and between back quotes.
fn commands(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut code = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            code = !code;
            continue;
        }
        let spans = line.split('`').skip(1).step_by(2);
        let lines = Some(line.trim().trim_start_matches("$ ")).filter(|_| code);
        for text in lines.into_iter().chain(spans) {
            let Some(rest) = text.strip_prefix("mercurious ") else { continue };
            // What a shell would do with the rest is not the program's business.
            let rest = rest.split([';', '|', '>', '#', '&']).next().unwrap_or_default();
            found.push((number + 1, rest.to_owned()));
        }
    }
    found
}

fn read(directory: &Path, ends: &[&str], files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && !["target", "tests"].contains(&name.as_str())
        {
            read(&path, ends, files);
        } else if path.extension().is_some_and(|end| ends.iter().any(|own| end == *own)) {
            files.push(path);
        }
    }
}

#[test]
fn r64_every_command_that_people_are_told_to_type_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    read(&root, &["md", "rs"], &mut files);
    let mut help = Help::default();
    let (mut faults, mut count) = (Vec::new(), 0);
    for path in files {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        for (line, command) in commands(&text) {
            count += 1;
            if let Some(fault) = help.fault(&command) {
                let path = path.strip_prefix(&root).unwrap().display();
                faults.push(format!("{path}:{line}: mercurious {command}: {fault}"));
            }
        }
    }
    assert!(count > 10, "only {count} commands were found");
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn r64_a_command_or_flag_that_is_not_there_is_named() {
    let page = "`mercurious frobnicate`, `mercurious rollback NAME [--to RELEASE]`\n```sh\n\
                mercurious status --wide # all\n  $ mercurious status -w | head --lines 3\n```\n";
    let mut help = Help::default();
    let faults: Vec<String> =
        commands(page).iter().filter_map(|(_, command)| help.fault(command)).collect();
    assert_eq!(faults, ["there is no command frobnicate", "status has no --wide"]);
}
