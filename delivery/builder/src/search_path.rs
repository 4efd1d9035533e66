//! Where a dynamic loader looks when headers name no directory: `ld.so(8)`, "default" and "cache".

use crate::{elf::Machine, system_root::SystemRoot};

/// The directories of one loader, in the order in which it looks.
#[derive(Clone, Debug)]
pub(crate) struct SearchPath {
    pub(crate) is_musl: bool,
    /// A directory to look in, and the directory where an image's loader, which has no cache, will look.
    pub(crate) directories: Vec<(String, String)>,
}

impl SearchPath {
    pub(crate) fn of(
        root: &SystemRoot,
        interpreter: &str,
        is_match: impl Fn(&str) -> bool,
        machine: Machine,
    ) -> Self {
        let loader = interpreter.rsplit('/').next().unwrap_or(interpreter);
        if loader.starts_with("ld-musl-") {
            return Self::musl(root, interpreter);
        }
        let built_in = glibc_built_in(is_match, machine);
        let shelf = built_in.first().cloned().unwrap_or_else(|| "/lib".to_owned());
        let mut directories: Vec<(String, String)> = Vec::new();
        for directory in configured(root, "/etc/ld.so.conf", 0) {
            let image = if built_in.contains(&directory) { &directory } else { &shelf };
            directories.push((directory.clone(), image.clone()));
        }
        directories.extend(built_in.into_iter().map(|directory| (directory.clone(), directory)));
        Self { is_musl: false, directories: without_repetition(directories) }
    }

    /// musl reads `/etc/ld-musl-ARCH.path`; without it, as in an image, three directories.
    fn musl(root: &SystemRoot, interpreter: &str) -> Self {
        let loader = interpreter.rsplit('/').next().unwrap_or(interpreter);
        let built_in = ["/lib", "/usr/local/lib", "/usr/lib"].map(str::to_owned);
        let name = loader.split('.').next().unwrap_or(loader);
        let listed = root
            .locate_file(&format!("/etc/{name}.path"))
            .and_then(|file| std::fs::read_to_string(file).ok());
        let listed: Vec<String> = match &listed {
            Some(text) => text
                .split([':', '\n'])
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(plain)
                .collect(),
            None => built_in.to_vec(),
        };
        let directories = listed
            .into_iter()
            .map(|directory| {
                let image =
                    if built_in.contains(&directory) { directory.clone() } else { "/lib".into() };
                (directory, image)
            })
            .collect();
        Self { is_musl: true, directories: without_repetition(directories) }
    }
}

/// What is compiled into a distribution's glibc. Which of the three families it is shows in where libc lies,
/// that directory first: the image's loader is this one, and looks nowhere else.
fn glibc_built_in(is_match: impl Fn(&str) -> bool, machine: Machine) -> Vec<String> {
    let multiarch = machine.multiarch_directories().iter().map(|directory| {
        let mut family = vec![format!("/lib/{directory}"), format!("/usr/lib/{directory}")];
        family.extend(["/lib".to_owned(), "/usr/lib".to_owned()]);
        family
    });
    let mut families: Vec<Vec<String>> = multiarch.collect();
    families.push(vec!["/usr/lib".into(), "/lib".into()]);
    families.push(vec!["/lib64".into(), "/usr/lib64".into()]);
    let has_libc = |directory: &String| is_match(&format!("{directory}/libc.so.6"));
    match families.iter_mut().find(|family| family.iter().any(has_libc)) {
        Some(family) => {
            let libc = family.iter().position(has_libc).unwrap_or(0);
            let first = family.remove(libc);
            family.insert(0, first);
            family.clone()
        }
        None => families.concat(),
    }
}

/// The directories of an `ld.so.conf` with its includes, as `ldconfig(8)` reads it.
fn configured(root: &SystemRoot, file: &str, depth: u8) -> Vec<String> {
    let Some(text) = root.locate_file(file).and_then(|file| std::fs::read_to_string(file).ok())
    else {
        return Vec::new();
    };
    let mut directories = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let mut words = line.split_whitespace();
        match words.next() {
            Some("include") if depth < 8 => {
                for pattern in words {
                    let pattern = if pattern.starts_with('/') {
                        pattern.to_owned()
                    } else {
                        let parent = file.rsplit_once('/').map_or("", |(parent, _)| parent);
                        format!("{parent}/{pattern}")
                    };
                    for included in matching(root, &pattern) {
                        directories.extend(configured(root, &included, depth + 1));
                    }
                }
            }
            Some("include" | "hwcap") | None => {}
            Some(_) => directories.extend(
                line.split([':', ',', ' ', '\t'])
                    // `directory=TYPE` is an old way to write a directory.
                    .filter_map(|part| part.split('=').next())
                    .filter(|part| part.starts_with('/'))
                    .map(plain),
            ),
        }
    }
    directories
}

/// The files that a pattern names, sorted; a star is understood in the last part of the path.
fn matching(root: &SystemRoot, pattern: &str) -> Vec<String> {
    let Some((directory, name)) = pattern.rsplit_once('/') else { return Vec::new() };
    let Some((before, after)) = name.split_once('*') else { return vec![pattern.to_owned()] };
    let listing = root.locate(directory).and_then(|directory| std::fs::read_dir(directory).ok());
    let mut found: Vec<String> = listing
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|file| {
            file.len() >= before.len() + after.len()
                && file.starts_with(before)
                && file.ends_with(after)
                && (before.starts_with('.') || !file.starts_with('.'))
        })
        .map(|file| format!("{directory}/{file}"))
        .collect();
    found.sort();
    found
}

fn plain(directory: &str) -> String {
    directory.trim_end_matches('/').to_owned()
}

fn without_repetition(directories: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut seen = std::collections::HashSet::new();
    directories.into_iter().filter(|(directory, _)| seen.insert(directory.clone())).collect()
}
