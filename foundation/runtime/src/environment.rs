//! Settings from the environment: one canonical name for each, older names accepted with a warning.

use std::{collections::BTreeMap, fmt, str::FromStr};

use thiserror::Error;

/// The variables of a program, read one by one; every fault is kept, so that all are reported together.
#[derive(Default)]
pub struct Environment {
    values: BTreeMap<String, String>,
    warnings: Vec<String>,
    faults: Vec<String>,
}

/// Why the settings cannot be used: everything that is wrong with them.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("the settings are wrong: {}", .0.join("; "))]
pub struct SettingsFaults(pub Vec<String>);

impl fmt::Debug for Environment {
    /// Without the values, which may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("names", &self.values.keys().collect::<Vec<_>>())
            .field("warnings", &self.warnings)
            .field("faults", &self.faults)
            .finish()
    }
}

impl Environment {
    /// The variables of this process. What is empty or no text counts as not set.
    pub fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self::of(std::env::vars_os().filter_map(text))
    }

    /// These variables.
    pub fn of(values: impl IntoIterator<Item = (String, String)>) -> Self {
        let values = values.into_iter().filter(|(_, value)| !value.trim().is_empty()).collect();
        Self { values, ..Self::default() }
    }

    /// Reads the setting `name`, or one of its older names. Two names with different values are a fault.
    pub fn text(&mut self, name: &str, aliases: &[&str]) -> Option<String> {
        let mut found: Option<(&str, &String)> = self.values.get(name).map(|value| (name, value));
        for alias in aliases {
            let Some(value) = self.values.get(*alias) else { continue };
            match found {
                None => {
                    self.warnings.push(format!("{alias} is an older name: set {name} instead"));
                    found = Some((alias, value));
                }
                Some((known, other)) if other != value => {
                    self.faults.push(format!("{known} and {alias} differ: set {name} alone"));
                }
                Some(_) => {
                    self.warnings.push(format!("{alias} is an older name of {name}: drop it"));
                }
            }
        }
        found.map(|(_, value)| value.trim().to_owned())
    }

    /// Like [`Environment::text`], for what can be parsed.
    pub fn parsed<T: FromStr>(&mut self, name: &str, aliases: &[&str]) -> Option<T>
    where
        T::Err: fmt::Display,
    {
        match self.text(name, aliases)?.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault(format!("{name}: {error}"));
                None
            }
        }
    }

    /// Like [`Environment::text`], for `true` and `false`, `1` and `0`, `yes` and `no`.
    pub fn flag(&mut self, name: &str, aliases: &[&str]) -> Option<bool> {
        match self.text(name, aliases)?.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" => Some(false),
            _ => {
                self.fault(format!("{name}: neither true nor false"));
                None
            }
        }
    }

    /// Whether anything is set under this very name.
    pub fn is_set(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// The names of all variables that are set.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// Adds a fault; it names the variable and never a secret value.
    pub fn fault(&mut self, fault: impl Into<String>) {
        self.faults.push(fault.into());
    }

    /// Adds a warning.
    pub fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }

    /// The warnings, or every fault.
    pub fn finish(self) -> Result<Vec<String>, SettingsFaults> {
        if self.faults.is_empty() { Ok(self.warnings) } else { Err(SettingsFaults(self.faults)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(values: &[(&str, &str)]) -> Environment {
        Environment::of(
            values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        )
    }

    #[test]
    fn r50_an_older_name_is_read_with_a_warning() {
        let mut environment = environment(&[("MONGO_URI", "mongodb://here")]);
        let value = environment.text("MONGODB_URL", &["MONGODB_URI", "MONGO_URI"]);
        assert_eq!(value.as_deref(), Some("mongodb://here"));
        let warnings = environment.finish().unwrap();
        assert_eq!(warnings, ["MONGO_URI is an older name: set MONGODB_URL instead"]);
    }

    #[test]
    fn r50_names_that_differ_are_a_fault_that_shows_no_value() {
        let mut environment = environment(&[("NEW", "one-secret"), ("OLD", "other-secret")]);
        environment.text("NEW", &["OLD"]);
        let faults = environment.finish().unwrap_err();
        assert_eq!(faults.0, ["NEW and OLD differ: set NEW alone"]);
    }

    #[test]
    fn all_faults_are_reported_together_and_what_is_empty_is_not_set() {
        let mut environment = environment(&[("A", "x"), ("B", "maybe"), ("C", " ")]);
        assert_eq!(environment.parsed::<u16>("A", &[]), None);
        assert_eq!(environment.flag("B", &[]), None);
        assert_eq!(environment.text("C", &[]), None);
        assert_eq!(environment.finish().unwrap_err().0.len(), 2);
    }
}
