use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use crate::cgroup;

/// Every directory of a keeper begins with this and its process number.
const PREFIX: &str = "mercurious-cluster-";

/// Where one cluster keeps its files.
#[derive(Clone, Debug)]
pub(crate) struct Place(PathBuf);

impl Place {
    /// A new one; what dead keepers left goes.
    pub(crate) fn make() -> anyhow::Result<Self> {
        let parent = std::env::temp_dir();
        sweep(&parent);
        let path = parent.join(format!("{PREFIX}{}", std::process::id()));
        for directory in ["pki", "log", "etcd", "cni", "kubelet", "registry", "hosts"] {
            fs::create_dir_all(path.join(directory))
                .with_context(|| format!("cannot make {}", path.display()))?;
        }
        Ok(Self(path))
    }

    pub(crate) fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The same as text, for settings and command lines.
    pub(crate) fn text(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    pub(crate) fn write(&self, name: &str, content: &str) -> anyhow::Result<()> {
        let path = self.file(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))
    }

    /// The name of this cluster's cgroups.
    pub(crate) fn cgroup(&self) -> String {
        self.0.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    pub(crate) fn remove(&self) -> anyhow::Result<()> {
        fs::remove_dir_all(&self.0).with_context(|| format!("cannot remove {}", self.0.display()))
    }
}

/// Removes what keepers left that were killed: its namespaces went with them.
fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(keeper) = name.strip_prefix(PREFIX).filter(|pid| pid.parse::<u32>().is_ok())
        else {
            continue;
        };
        if !Path::new("/proc").join(keeper).exists() {
            cgroup::remove(&name);
            // Somebody else's, then.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
