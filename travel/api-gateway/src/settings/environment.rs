use std::{collections::BTreeMap, fmt, time::Duration};

use jiff::SignedDuration;
use thiserror::Error;

use super::{VARIABLES, Variable};

/// Names at least this alike are taken for misspellings.
const ALIKE: f64 = 0.93;

/// The variables of a process.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be secrets.
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(values: T) -> Self {
        Self(values.into_iter().collect())
    }
}

impl Environment {
    /// Every variable.
    pub fn values(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }
}

/// One wrong variable. The value is shown only where it cannot be a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingFault {
    /// Which one.
    pub name: String,
    /// What is wrong and what would be right.
    pub message: String,
}

/// Every wrong variable.
#[derive(Debug, Error)]
#[error("the settings are wrong: {}", .0.iter().map(|fault| format!("{} {}", fault.name, fault.message)).collect::<Vec<_>>().join("; "))]
pub struct SettingsError(pub Vec<SettingFault>);

/// Reads settings and keeps every fault and warning.
pub(super) struct Reader<'a> {
    environment: &'a Environment,
    pub(super) faults: Vec<SettingFault>,
    pub(super) warnings: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(environment: &'a Environment) -> Self {
        Self { environment, faults: Vec::new(), warnings: misspelt(environment) }
    }

    pub(super) fn fault(&mut self, name: &str, message: impl Into<String>) {
        self.faults.push(SettingFault { name: name.to_owned(), message: message.into() });
    }

    /// What is set, under whichever name, with that name.
    pub(super) fn set(&mut self, name: &'static str) -> Option<(&'static str, &'a str)> {
        let variable = variable(name);
        let names = std::iter::once(&variable.name).chain(variable.aliases);
        let set: Vec<_> = names
            .filter_map(|name| Some((*name, self.environment.value(name)?)))
            .collect();
        for (other, value) in set.iter().skip(1) {
            if *value != set[0].1 {
                self.fault(other, format!("says something else than {}; set {name} only", set[0].0));
            }
        }
        for (other, _) in set.iter().filter(|(other, _)| *other != name) {
            self.warnings.push(format!("{other} is an old name: call it {name}"));
        }
        set.first().copied()
    }

    /// What is set, or the default.
    pub(super) fn text(&mut self, name: &'static str) -> (&'static str, &'a str) {
        self.set(name).unwrap_or((name, variable(name).default))
    }

    /// What `parse` makes of it; none and a fault where it cannot.
    pub(super) fn parse<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
        expected: &str,
    ) -> Option<T> {
        let (named, text) = self.text(name);
        let value = parse(text);
        if value.is_none() {
            let shown: String = text.chars().take(40).collect();
            self.fault(named, format!("is {shown:?}, not {expected}"));
        }
        value
    }

    pub(super) fn duration(&mut self, name: &'static str) -> Option<Duration> {
        let parse = |text: &str| Duration::try_from(text.parse::<SignedDuration>().ok()?).ok();
        self.parse(name, parse, "a length of time, such as 30s, 5m or 24h")
            .filter(|time| !time.is_zero() || name == "DRAIN_TIME")
            .or_else(|| {
                if self.faults.iter().all(|fault| fault.name != name) {
                    self.fault(name, "is no time at all");
                }
                None
            })
    }
}

fn variable(name: &'static str) -> Variable {
    let known = VARIABLES.iter().find(|variable| variable.name == name);
    known.copied().unwrap_or(Variable { name, aliases: &[], default: "", about: "" })
}

/// Variables that look like misspelt ones.
fn misspelt(environment: &Environment) -> Vec<String> {
    let known = || VARIABLES.iter().flat_map(|one| std::iter::once(&one.name).chain(one.aliases));
    let near = |name: &String| {
        if known().any(|known| known == name) {
            return None;
        }
        let nearest = VARIABLES
            .iter()
            .map(|variable| (strsim::jaro_winkler(variable.name, name), variable.name))
            .filter(|(likeness, known)| *likeness >= ALIKE && known.len().abs_diff(name.len()) <= 2)
            .max_by(|one, other| one.0.total_cmp(&other.0))?;
        Some(format!("{name} is not known; perhaps {}?", nearest.1))
    };
    environment.0.keys().filter_map(near).collect()
}
