use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};

/// The `mercurious` executable.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
}

impl Program {
    /// The one that was built into the same target directory as the caller.
    pub fn built() -> anyhow::Result<Self> {
        let own = std::env::current_exe().context("cannot find the test's own file")?;
        let beside = own.ancestors().skip(1).take(2).map(|directory| directory.join("mercurious"));
        let path = beside.into_iter().find(|path| path.is_file());
        let path = path.with_context(|| {
            format!(
                "no `mercurious` beside {}: build it with `cargo build -p mercurious`",
                own.display()
            )
        })?;
        Ok(Self { path })
    }

    /// The one at this path.
    pub fn at(path: &Path) -> anyhow::Result<Self> {
        ensure!(path.is_file(), "{} is not there", path.display());
        Ok(Self { path: path.to_owned() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A copy without what only debuggers read, so that images of it are small; the program itself where no
    /// `strip` is installed.
    pub(crate) fn slim(&self, place: &Path) -> anyhow::Result<PathBuf> {
        let slim = place.join("slim").join("mercurious");
        if slim.is_file() {
            return Ok(slim);
        }
        std::fs::create_dir_all(place.join("slim"))?;
        let stripped = Command::new("strip").arg("-o").arg(&slim).arg(&self.path).status();
        Ok(if stripped.is_ok_and(|status| status.success()) { slim } else { self.path.clone() })
    }

    /// A command that starts it.
    pub fn command(&self) -> Command {
        Command::new(&self.path)
    }
}
