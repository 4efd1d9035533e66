//! Reads an object field by field and keeps every fault, so that all are named at once.

use jiff::civil::{Date, Time};
use serde_json::{Map, Value};

use crate::problem::{FieldCode, FieldError};

/// More faults than this are not listed.
pub(crate) const MOST: usize = 100;

/// The faults found so far.
#[derive(Debug, Default)]
pub(crate) struct Faults(pub(crate) Vec<FieldError>);

impl Faults {
    pub(crate) fn add(
        &mut self,
        field: impl Into<String>,
        code: FieldCode,
        message: impl Into<String>,
    ) {
        if self.0.len() < MOST {
            self.0.push(FieldError { field: field.into(), code, message: message.into() });
        }
    }
}

/// One object that is being read.
pub(crate) struct Object<'a> {
    path: String,
    values: &'a Map<String, Value>,
    known: Vec<&'static str>,
}

/// A value and where it is.
pub(crate) struct Field<'a> {
    pub(crate) path: String,
    pub(crate) value: &'a Value,
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

impl<'a> Object<'a> {
    /// Begins with `value`, which must be an object.
    pub(crate) fn new(path: String, value: &'a Value, faults: &mut Faults) -> Option<Self> {
        match value {
            Value::Object(values) => Some(Self { path, values, known: Vec::new() }),
            other => {
                faults.add(
                    path,
                    FieldCode::Malformed,
                    format!("is {}, not an object", kind(other)),
                );
                None
            }
        }
    }

    /// Takes a field that need not be there; null is not there.
    pub(crate) fn take(&mut self, name: &'static str) -> Option<Field<'a>> {
        self.known.push(name);
        let value = self.values.get(name).filter(|value| !value.is_null())?;
        Some(Field { path: self.at(name), value })
    }

    /// Takes a field that must be there.
    pub(crate) fn need(&mut self, name: &'static str, faults: &mut Faults) -> Option<Field<'a>> {
        let field = self.take(name);
        if field.is_none() {
            faults.add(self.at(name), FieldCode::Required, "is missing");
        }
        field
    }

    /// Where a field of this object is.
    pub(crate) fn at(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Names what was not asked for.
    pub(crate) fn end(self, faults: &mut Faults) {
        for name in self.values.keys().filter(|name| !self.known.contains(&name.as_str())) {
            let near = (self.known.iter())
                .map(|known| (strsim::jaro_winkler(known, name), known))
                .max_by(|one, other| one.0.total_cmp(&other.0));
            let message = match near {
                Some((likeness, known)) if likeness > 0.8 => {
                    format!("is not known; perhaps {known}?")
                }
                _ => "is not known".to_owned(),
            };
            let name: String = name.chars().take(100).collect();
            faults.add(self.at(&name), FieldCode::Unknown, message);
        }
    }
}

impl<'a> Field<'a> {
    fn malformed<T>(&self, expected: &str, faults: &mut Faults) -> Option<T> {
        let message = format!("is {}, not {expected}", kind(self.value));
        faults.add(&self.path, FieldCode::Malformed, message);
        None
    }

    /// A text with something in it, of at most `most` characters, with no control characters.
    pub(crate) fn text(&self, most: usize, faults: &mut Faults) -> Option<&'a str> {
        let Value::String(text) = self.value else { return self.malformed("a text", faults) };
        if text.trim().is_empty() {
            faults.add(&self.path, FieldCode::Empty, "is empty");
        } else if text.chars().count() > most {
            let message = format!("has more than {most} characters");
            faults.add(&self.path, FieldCode::TooLong, message);
        } else if text.chars().any(char::is_control) {
            faults.add(&self.path, FieldCode::Malformed, "holds a control character");
        } else {
            return Some(text.trim());
        }
        None
    }

    /// A whole number within limits.
    pub(crate) fn whole(&self, least: i64, most: i64, faults: &mut Faults) -> Option<i64> {
        let Value::Number(number) = self.value else {
            return self.malformed("a whole number", faults);
        };
        // 3.0 is a whole number in JSON; what does not fit is out of range all the same.
        let value = match (number.as_i64(), number.as_f64()) {
            (Some(value), _) => Some(value),
            (None, Some(value)) if value.fract() == 0.0 && value.abs() < 9e15 => Some(value as i64),
            (None, Some(value)) if value.fract() != 0.0 => {
                faults.add(&self.path, FieldCode::Malformed, "is not a whole number");
                return None;
            }
            _ => None,
        };
        if let Some(value) = value.filter(|value| (least..=most).contains(value)) {
            return Some(value);
        }
        let message = format!("is not between {least} and {most}");
        faults.add(&self.path, FieldCode::OutOfRange, message);
        None
    }

    /// A number within limits.
    pub(crate) fn number(&self, least: f64, most: f64, faults: &mut Faults) -> Option<f64> {
        let Some(value) = self.value.as_f64() else { return self.malformed("a number", faults) };
        if (least..=most).contains(&value) {
            return Some(value);
        }
        let message = format!("is not between {least} and {most}");
        faults.add(&self.path, FieldCode::OutOfRange, message);
        None
    }

    pub(crate) fn boolean(&self, faults: &mut Faults) -> Option<bool> {
        match self.value {
            Value::Bool(value) => Some(*value),
            _ => self.malformed("true or false", faults),
        }
    }

    /// A date of the calendar.
    pub(crate) fn date(&self, faults: &mut Faults) -> Option<Date> {
        let Value::String(text) = self.value else { return self.malformed("a date", faults) };
        let shape = text.len() == 10 && text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'-';
        let date = shape.then(|| text.parse::<Date>().ok()).flatten();
        let Some(date) = date else {
            let message = "is not a date of the calendar, such as 2026-05-04";
            faults.add(&self.path, FieldCode::Malformed, message);
            return None;
        };
        if (1970..=2199).contains(&date.year()) {
            return Some(date);
        }
        faults.add(&self.path, FieldCode::OutOfRange, "is not between 1970 and 2199");
        None
    }

    /// A time as a clock shows it, to the minute.
    pub(crate) fn time(&self, faults: &mut Faults) -> Option<Time> {
        let Value::String(text) = self.value else { return self.malformed("a time", faults) };
        if let Some(time) = clock(text) {
            return Some(time);
        }
        faults.add(&self.path, FieldCode::Malformed, "is not a time of the day, such as 09:30");
        None
    }

    /// One of some words, by serde's names.
    pub(crate) fn word<T: serde::de::DeserializeOwned>(
        &self,
        words: &[&str],
        faults: &mut Faults,
    ) -> Option<T> {
        if !self.value.is_string() {
            return self.malformed("a text", faults);
        }
        let read = serde_json::from_value(self.value.clone()).ok();
        if read.is_none() {
            let message = format!("is none of {}", words.join(", "));
            faults.add(&self.path, FieldCode::Malformed, message);
        }
        read
    }

    /// A text that `read` makes something of.
    pub(crate) fn read<T, E: std::fmt::Display>(
        &self,
        read: impl FnOnce(&str) -> Result<T, E>,
        faults: &mut Faults,
    ) -> Option<T> {
        let Value::String(text) = self.value else { return self.malformed("a text", faults) };
        match read(text) {
            Ok(value) => Some(value),
            Err(error) => {
                faults.add(&self.path, FieldCode::Malformed, error.to_string());
                None
            }
        }
    }

    /// A list of at most `most`.
    pub(crate) fn list(&self, most: usize, faults: &mut Faults) -> Vec<Field<'a>> {
        let Value::Array(values) = self.value else {
            return self.malformed("a list", faults).unwrap_or_default();
        };
        if values.len() > most {
            faults.add(&self.path, FieldCode::TooLong, format!("has more than {most} entries"));
        }
        let at = |number| format!("{}[{number}]", self.path);
        (values.iter().take(most).enumerate())
            .map(|(number, value)| Field { path: at(number), value })
            .collect()
    }

    pub(crate) fn object(self, faults: &mut Faults) -> Option<Object<'a>> {
        Object::new(self.path, self.value, faults)
    }
}

/// `HH:MM`, or `HH:MM:00`.
pub(crate) fn clock(text: &str) -> Option<Time> {
    let text = text.strip_suffix(":00").filter(|rest| rest.len() == 5).unwrap_or(text);
    let (hours, minutes) = text.split_once(':')?;
    let digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hours) || !digits(minutes) {
        return None;
    }
    Time::new(hours.parse().ok()?, minutes.parse().ok()?, 0, 0).ok()
}
