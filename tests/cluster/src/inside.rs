use std::{
    collections::HashMap,
    fs::{self, OpenOptions},
    io::{BufRead as _, Write as _},
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use nix::{errno::Errno, sys::wait::wait, unistd::Pid};

use crate::{
    files::{KERNEL, kernel_file},
    parts::Part,
    place::Place,
    subnet::Subnet,
};

/// Directories that parts write to whatever they are told; here they are empty and go with the namespace.
const OWN_DIRECTORIES: [&str; 4] = ["/run", "/var/lib/kubelet", "/var/log", "/var/lib/cni"];
/// How long a part that ended stays down.
const PAUSE: Duration = Duration::from_millis(300);

/// Process 1 of the cluster's namespaces: says its number on the host, makes the place habitable, starts each
/// part whose name it reads, starts it anew when it ends, and ends with its input.
pub fn inside(directory: &Path, number: u8, node: &Path) -> anyhow::Result<()> {
    // `/proc` is still the host's.
    let own = fs::read_link("/proc/self").context("cannot tell the own process number")?;
    writeln!(std::io::stdout(), "{}", own.display())?;
    let mut lines = std::io::stdin().lock().lines();
    let go = lines.next().context("the keeper is gone")??;
    ensure!(go == "attached", "the keeper said {go:?}");

    let (place, subnet) = (Place::at(directory), Subnet::numbered(number));
    furnish(&place)?;
    subnet.configure_node()?;
    let parts = Arc::new(Parts { place, subnet, node: node.to_owned(), running: Mutex::default() });
    let reaper = Arc::clone(&parts);
    thread::spawn(move || reaper.reap());
    for line in lines {
        let line = line?;
        let part = Part::named(&line).with_context(|| format!("no part is called {line:?}"))?;
        parts.start(part)?;
    }
    Ok(())
}

/// Gives this mount namespace a `/proc` of its own, empty directories, and the kernel's settings as files.
fn furnish(place: &Place) -> anyhow::Result<()> {
    mount(&["-t", "proc", "proc", "/proc"])?;
    for directory in OWN_DIRECTORIES {
        fs::create_dir_all(directory)?;
        mount(&["-t", "tmpfs", "tmpfs", directory])?;
    }
    fs::create_dir_all("/run/lock")?;
    for (name, _) in KERNEL {
        let setting = format!("/proc/sys/{name}");
        if Path::new(&setting).exists() {
            mount(&["--bind", &place.text(&kernel_file(name)), &setting])?;
        }
    }
    Ok(())
}

fn mount(arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new("mount").args(arguments).output().context("cannot run mount")?;
    ensure!(
        output.status.success(),
        "mount {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

struct Parts {
    place: Place,
    subnet: Subnet,
    node: std::path::PathBuf,
    running: Mutex<HashMap<Pid, Part>>,
}

impl Parts {
    fn start(&self, part: Part) -> anyhow::Result<()> {
        let log = self.place.file(&format!("log/{}", part.name()));
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        // Held while it starts, so that its end cannot be seen before its name.
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let child = part
            .command(&self.node.display().to_string(), &self.place, self.subnet)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", part.name()))?;
        running.insert(Pid::from_raw(child.id().try_into()?), part);
        Ok(())
    }

    /// Takes the end of every process, orphans of containers among them.
    fn reap(self: Arc<Self>) {
        loop {
            match wait() {
                Ok(end) => {
                    let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
                    let Some(part) = end.pid().and_then(|pid| running.remove(&pid)) else {
                        continue;
                    };
                    drop(running);
                    let parts = Arc::clone(&self);
                    thread::spawn(move || {
                        thread::sleep(PAUSE);
                        // Its log has the reason; the keeper misses it soon.
                        let _ = parts.start(part);
                    });
                }
                Err(Errno::ECHILD | Errno::EINTR) => thread::sleep(Duration::from_millis(20)),
                Err(_) => return,
            }
        }
    }
}
