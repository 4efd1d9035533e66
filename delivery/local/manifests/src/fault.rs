use std::{fmt, sync::Arc};

use mercurious_core::printable::Printable;

/// So many faults are kept; the rest are counted.
const MAX_FAULTS: usize = 200;

/// Where something stands: a file (or `-`), and a line and column in it, both counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The file as it was named.
    pub file: Arc<str>,
    /// The line; 0 where the whole file is meant.
    pub line: usize,
    /// The column in characters; 0 where the whole file is meant.
    pub column: usize,
}

impl Origin {
    /// The whole file.
    pub fn file(file: impl Into<Arc<str>>) -> Self {
        Self { file: file.into(), line: 0, column: 0 }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", Printable(&self.file))?;
        if self.line > 0 {
            write!(formatter, ":{}:{}", self.line, self.column)?;
        }
        Ok(())
    }
}

/// One thing that is wrong, as `FILE:LINE:COLUMN: field: what; hint`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub origin: Origin,
    /// The field's path from the object's root, as `spec.template.spec.containers[0].image`; empty where there is none.
    pub field: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: ", self.origin)?;
        if !self.field.is_empty() {
            write!(formatter, "{}: ", Printable(&self.field))?;
        }
        write!(formatter, "{}", Printable(&self.what))?;
        if let Some(hint) = &self.hint {
            write!(formatter, "; {}", Printable(hint))?;
        }
        Ok(())
    }
}

/// Everything that is wrong in everything that was read, one fault a line, in the order of the files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManifestErrors {
    faults: Vec<Fault>,
    left_out: usize,
}

impl ManifestErrors {
    /// The faults: at most 200, see [`Self::left_out`].
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// How many more there were.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    pub(crate) fn push(&mut self, fault: Fault) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(fault);
        } else {
            self.left_out += 1;
        }
    }
}

impl fmt::Display for ManifestErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            write!(formatter, "{fault}")?;
        }
        if self.left_out > 0 {
            write!(formatter, "\nand {} more", self.left_out)?;
        }
        Ok(())
    }
}

impl std::error::Error for ManifestErrors {}

/// Which kind of remark a warning is: a stable code, and the way to leave some out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WarningKind {
    /// A field that Kubernetes honours has no effect on one machine.
    NoEffect,
    /// A rollout of this workload can lose requests.
    Downtime,
    /// The image is not pinned to one release.
    MutableTag,
    /// Going back or being sure of a rollout is harder than it need be.
    Rollback,
    /// A value looks like a credential where it should not stand, or a Secret's value looks mistyped.
    Credential,
    /// The policy or the reference is legal and probably not what was meant.
    Suspicious,
}

/// Something legal that deserves a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Which kind.
    pub kind: WarningKind,
    /// Where.
    pub origin: Origin,
    /// The object and field, as `Deployment app/api: spec.strategy`.
    pub subject: String,
    /// What, and what to do about it.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (subject, message) = (Printable(&self.subject), Printable(&self.message));
        write!(formatter, "{}: {subject}: {message}", self.origin)
    }
}
