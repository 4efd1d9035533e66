use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::{
    Kind,
    leaf::shown,
    shape::{Field, Leaf, Parse, Rule, Shape},
    suggest::{below, beside, nearest},
};
use crate::{
    objects::IntOrPercent,
    tree::{Entry, Node, Position, Scalar, Value},
};

/// What a walk over one object found.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    /// Only what is honoured, every value of the right type. Complete only where there is no fault.
    pub(crate) honoured: Json,
    pub(crate) faults: Vec<Found>,
    /// Fields that are accepted and have no effect.
    pub(crate) notes: Vec<Found>,
    /// Where each field stands, by path.
    pub(crate) positions: BTreeMap<String, Position>,
}

/// Something found at a field.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) position: Position,
    pub(crate) field: String,
    pub(crate) what: String,
    pub(crate) hint: Option<String>,
}

/// Holds an object against the table of its kind: every fault of it, and what of it is honoured.
pub(crate) fn walk(root: &Node, kind: Kind) -> Walked {
    let mut walker = Walker { walked: Walked::default(), around: Vec::new() };
    walker.walked.positions.insert(String::new(), root.position);
    walker.walked.honoured = walker.object(root, kind.shape(), "").unwrap_or(Json::Null);
    walker.walked
}

struct Walker {
    walked: Walked,
    /// The shapes around the current one, outermost first, each with its path and the field that leads inwards.
    around: Vec<(&'static Shape, String, &'static str)>,
}

impl Walker {
    fn fault(&mut self, position: Position, field: &str, what: String, hint: Option<String>) {
        self.walked.faults.push(Found { position, field: field.to_owned(), what, hint });
    }

    fn object(&mut self, node: &Node, shape: &'static Shape, path: &str) -> Option<Json> {
        let Value::Map(entries) = &node.value else {
            let what = format!("expected the fields of {}, found {}", shape.name, node.describe());
            self.fault(node.position, path, what, None);
            return None;
        };
        if self.has_slipped(node, entries, shape, path) {
            return None;
        }
        let mut honoured = Map::new();
        for entry in entries {
            let inner = join(path, &shown(&entry.key));
            self.walked.positions.insert(inner.clone(), entry.position);
            match shape.field(&entry.key) {
                None => self.unknown(entry, shape, path, &inner),
                // Kubernetes reads an empty field as one that is not there.
                Some(_) if entry.node.is_null() => {}
                Some(field) => {
                    self.around.push((shape, path.to_owned(), field.name));
                    if let Some(value) = self.field(entry, field, &inner) {
                        honoured.insert(entry.key.clone(), value);
                    }
                    self.around.pop();
                }
            }
        }
        self.complete(node, shape, path);
        Some(Json::Object(honoured))
    }

    /// A field that is known.
    fn field(&mut self, entry: &Entry, field: &'static Field, path: &str) -> Option<Json> {
        let unsupported = |why: &str| format!("is not supported on one machine, because {why}");
        match &field.rule {
            Rule::Read(leaf) => return self.value(&entry.node, leaf, path),
            Rule::Ignored(_) => {}
            Rule::Noted(why) => self.walked.notes.push(Found {
                position: entry.position,
                field: path.to_owned(),
                what: format!("has no effect on one machine: {why}"),
                hint: None,
            }),
            Rule::Only(values, why) => {
                let is_taken = match &entry.node.value {
                    Value::Scalar(Scalar::Text(text)) => values.contains(&text.as_str()),
                    Value::Scalar(Scalar::Boolean(truth)) => {
                        values.contains(&truth.to_string().as_str())
                    }
                    _ => entry.node.is_hollow(),
                };
                if !is_taken {
                    let hint = format!("remove it, or write {}", listed(values, " or "));
                    self.fault(entry.position, path, unsupported(why), Some(hint));
                }
            }
            Rule::Refused(why, hint) => {
                if !entry.node.is_hollow() {
                    let hint = Some((*hint).to_owned());
                    self.fault(entry.position, path, unsupported(why), hint);
                }
            }
        }
        None
    }

    fn value(&mut self, node: &Node, leaf: &'static Leaf, path: &str) -> Option<Json> {
        match leaf {
            Leaf::Object(shape) => self.object(node, shape, path),
            Leaf::List(least, item) => self.list(node, *least, item, path),
            Leaf::Map(least, key, value) => self.map(node, *least, *key, value, path),
            _ => match &node.value {
                Value::Scalar(scalar) => self.scalar(scalar, node.position, leaf, path),
                _ => self.mistyped(node.describe(), node.position, leaf, path),
            },
        }
    }

    fn scalar(
        &mut self,
        scalar: &Scalar,
        position: Position,
        leaf: &'static Leaf,
        path: &str,
    ) -> Option<Json> {
        let (what, hint) = match (leaf, scalar) {
            (Leaf::Text | Leaf::Quantity, Scalar::Text(text) | Scalar::Number(text))
                if matches!((leaf, scalar), (Leaf::Quantity, _) | (_, Scalar::Text(_))) =>
            {
                return Some(Json::from(text.as_str()));
            }
            (Leaf::Quantity, Scalar::Integer(number)) => {
                return Some(Json::from(number.to_string()));
            }
            (Leaf::Boolean, Scalar::Boolean(truth)) => return Some(Json::from(*truth)),
            (Leaf::Parsed(parse), Scalar::Text(text)) => match parse(text) {
                Ok(()) => return Some(Json::from(text.as_str())),
                Err(what) => (what, None),
            },
            (Leaf::Hidden(parse), Scalar::Text(text)) => match parse(text) {
                Ok(()) => return Some(Json::from(text.as_str())),
                Err(what) => (what.to_owned(), None),
            },
            (Leaf::Integer(least, most), Scalar::Integer(number)) => {
                if (least..=most).contains(&number) {
                    return Some(Json::from(*number));
                }
                (format!("{number} is out of range: expected {least} to {most}"), None)
            }
            (Leaf::OneOf(values), Scalar::Text(text)) => {
                if values.contains(&text.as_str()) {
                    return Some(Json::from(text.as_str()));
                }
                let hint = nearest(text, values.iter().copied());
                let what = format!("`{}` is not one of {}", shown(text), listed(values, ", "));
                (what, hint.map(|value| format!("did you mean `{value}`?")))
            }
            (Leaf::Amount, Scalar::Integer(number)) => {
                if (0..=i64::from(i32::MAX)).contains(number) {
                    return Some(Json::from(*number));
                }
                (format!("{number} is out of range: expected 0 or more"), None)
            }
            (Leaf::Amount, Scalar::Text(text)) if IntOrPercent::parse_percent(text).is_some() => {
                return Some(Json::from(text.as_str()));
            }
            (Leaf::Port, Scalar::Integer(number)) => {
                if (1..=65535).contains(number) {
                    return Some(Json::from(*number));
                }
                (format!("{number} is not a port: expected 1 to 65535"), None)
            }
            (Leaf::Port, Scalar::Text(text)) => {
                if !text.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Some(Json::from(text.as_str()));
                }
                let hint = "remove the quotes: in quotes it is a port's name".to_owned();
                ("expected a port's number or name, found digits in quotes".to_owned(), Some(hint))
            }
            _ => return self.mistyped(scalar.describe(), position, leaf, path),
        };
        self.fault(position, path, what, hint);
        None
    }

    /// A value of the wrong type. It is never shown: it may be a credential in the wrong place.
    fn mistyped(
        &mut self,
        found: &str,
        position: Position,
        leaf: &'static Leaf,
        path: &str,
    ) -> Option<Json> {
        let what = format!("expected {}, found {found}", expected(leaf));
        let wants_text =
            matches!(leaf, Leaf::Text | Leaf::Parsed(_) | Leaf::Hidden(_) | Leaf::OneOf(_));
        let hint = match found {
            "true or false" | "a whole number" | "a number" if wants_text => {
                Some("put the value in quotes")
            }
            "text" if matches!(leaf, Leaf::Integer(..) | Leaf::Boolean) => {
                Some("write it without quotes")
            }
            _ => None,
        };
        self.fault(position, path, what, hint.map(str::to_owned));
        None
    }

    fn list(&mut self, node: &Node, least: usize, item: &'static Leaf, path: &str) -> Option<Json> {
        let Value::List(items) = &node.value else {
            let what = format!("expected a list, found {}", node.describe());
            self.fault(node.position, path, what, Some("start each item with `- `".to_owned()));
            return None;
        };
        if items.len() < least {
            self.fault(node.position, path, "must not be empty".to_owned(), None);
        }
        let mut honoured = Vec::with_capacity(items.len());
        for (index, value) in items.iter().enumerate() {
            let inner = format!("{path}[{index}]");
            self.walked.positions.insert(inner.clone(), value.position);
            honoured.extend(self.value(value, item, &inner));
        }
        Some(Json::Array(honoured))
    }

    fn map(
        &mut self,
        node: &Node,
        least: usize,
        check: Parse,
        leaf: &'static Leaf,
        path: &str,
    ) -> Option<Json> {
        let Value::Map(entries) = &node.value else {
            let what = format!("expected a map, found {}", node.describe());
            self.fault(node.position, path, what, None);
            return None;
        };
        if entries.len() < least {
            self.fault(node.position, path, "must not be empty".to_owned(), None);
        }
        let mut honoured = Map::new();
        for entry in entries {
            if let Err(what) = check(&entry.key) {
                self.fault(entry.position, path, what, None);
                continue;
            }
            let inner = join(path, &shown(&entry.key));
            self.walked.positions.insert(inner.clone(), entry.position);
            let value = if entry.node.is_null() {
                // `KEY:` with nothing behind it is an empty text to Kubernetes.
                (!matches!(leaf, Leaf::Quantity)).then(|| Json::from(""))
            } else {
                self.value(&entry.node, leaf, &inner)
            };
            if let Some(value) = value {
                honoured.insert(entry.key.clone(), value);
            }
        }
        Some(Json::Object(honoured))
    }

    /// Whether a whole item stands under the wrong field: one fault, not one for each of its fields.
    fn has_slipped(
        &mut self,
        node: &Node,
        entries: &[Entry],
        shape: &'static Shape,
        path: &str,
    ) -> bool {
        let names: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
        if names.is_empty() || names.iter().any(|name| shape.field(name).is_some()) {
            return false;
        }
        let Some((parent, parent_path, current)) = self.around.last() else { return false };
        let Some(right) = beside(parent, current, &names) else { return false };
        let what = format!("{} has no {}", shape.name, listed(&names, " and no "));
        let hint = format!(
            "this belongs under `{}`; {} has {}",
            join(parent_path, right),
            shape.name,
            honoured(shape)
        );
        self.fault(node.position, path, what, Some(hint));
        true
    }

    fn unknown(&mut self, entry: &Entry, shape: &'static Shape, path: &str, inner: &str) {
        let name = entry.key.as_str();
        let above = || {
            let outer = self.around.iter().rev().find(|(shape, ..)| shape.field(name).is_some())?;
            Some(format!("it belongs further out: `{}`", join(&outer.1, name)))
        };
        let hint = nearest(name, shape.fields.iter().map(|field| field.name))
            .map(|known| format!("did you mean `{known}`?"))
            .or_else(above)
            .or_else(|| {
                below(shape, name).map(|right| format!("it belongs to `{}`", join(path, &right)))
            })
            .or_else(|| {
                let few = shape.fields.len() <= 12;
                few.then(|| format!("{} has {}", shape.name, honoured(shape)))
            });
        let what = format!("unknown field of {}", shape.name);
        self.fault(entry.position, inner, what, hint);
    }

    fn complete(&mut self, node: &Node, shape: &'static Shape, path: &str) {
        let is_set = |name: &str| node.get(name).is_some_and(|entry| !entry.node.is_null());
        for field in shape.fields.iter().filter(|field| field.required && !is_set(field.name)) {
            let position = node.get(field.name).map_or(node.position, |entry| entry.position);
            let what = "is required and missing".to_owned();
            self.fault(position, &join(path, field.name), what, None);
        }
        // A field that is refused or misspelt is a fault already, and may be the one that was chosen.
        let is_faulty = matches!(&node.value, Value::Map(entries) if entries.iter().any(|entry| {
            shape.field(&entry.key).is_none_or(|field| matches!(field.rule, Rule::Refused(..)))
        }));
        for choice in shape.choices {
            let set: Vec<&str> =
                choice.fields.iter().copied().filter(|name| is_set(name)).collect();
            if set.len() > 1 {
                let what = format!("{} cannot stand together", listed(&set, " and "));
                self.fault(node.position, path, what, Some("keep one of them".to_owned()));
            } else if set.is_empty() && choice.required && !is_faulty {
                let what = format!("{} needs {}", shape.name, listed(choice.fields, " or "));
                self.fault(node.position, path, what, None);
            }
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn listed(names: &[&str], between: &str) -> String {
    names.iter().map(|name| format!("`{}`", shown(name))).collect::<Vec<_>>().join(between)
}

/// The fields of a shape that are honoured.
fn honoured(shape: &Shape) -> String {
    let fields = shape.fields.iter().filter(|field| matches!(field.rule, Rule::Read(_)));
    listed(&fields.map(|field| field.name).collect::<Vec<_>>(), ", ")
}

fn expected(leaf: &Leaf) -> String {
    match leaf {
        Leaf::Text | Leaf::Parsed(_) | Leaf::Hidden(_) => "text".to_owned(),
        Leaf::OneOf(values) => listed(values, " or "),
        Leaf::Integer(..) => "a whole number".to_owned(),
        Leaf::Boolean => "true or false".to_owned(),
        Leaf::Amount => "a whole number or a percentage as 25%".to_owned(),
        Leaf::Port => "a port's number or name".to_owned(),
        Leaf::Quantity => "a quantity as 500m or 128Mi".to_owned(),
        Leaf::Object(shape) => format!("the fields of {}", shape.name),
        Leaf::List(..) => "a list".to_owned(),
        Leaf::Map(..) => "a map".to_owned(),
    }
}
