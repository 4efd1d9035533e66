use std::{fs, io::Write as _, process::Command, thread::available_parallelism};

/// Cores, memory, kernel and compiler.
pub fn describe() -> String {
    let cores = available_parallelism().map_or(1, usize::from);
    let memory = fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| {
            let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
            total.trim().strip_suffix(" kB")?.parse::<f64>().ok()
        })
        .map_or_else(String::new, |kibibytes| {
            format!(", {:.0} GiB", kibibytes / f64::from(1 << 20))
        });
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = kernel.split('-').next().unwrap_or_default().trim().to_owned();
    format!("{cores} cores{memory}, Linux {kernel}, {}", version("rustc"))
}

/// The first line of what a program says of its version, or that it is not there.
pub fn version(program: &str) -> String {
    // Some take the longer flag for a mistake, and some fail although they answer.
    let mut said = None;
    for flag in ["--version", "-v"] {
        let Ok(output) = Command::new(program).arg(flag).output() else { continue };
        let text = if output.stdout.is_empty() { &output.stderr } else { &output.stdout };
        let line = String::from_utf8_lossy(text).lines().next().unwrap_or_default().to_owned();
        if output.status.success() && !line.is_empty() {
            return line;
        }
        said = said.or(Some(line).filter(|line| !line.is_empty()));
    }
    said.unwrap_or_else(|| format!("{program} is not installed"))
}

/// Progress, for who waits.
pub fn say(text: &str) {
    // Nobody may be looking.
    let _ = writeln!(std::io::stderr(), "{text}");
}
