/// The fields of one kind of object or part.
#[derive(Debug)]
pub(super) struct Shape {
    /// What a person calls it: `a container`.
    pub(super) name: &'static str,
    pub(super) fields: &'static [Field],
    /// Groups of fields that exclude each other.
    pub(super) choices: &'static [Choice],
}

/// Fields of which one may be set, or must be.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) fields: &'static [&'static str],
    pub(super) required: bool,
}

/// One known field.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) required: bool,
    pub(super) rule: Rule,
}

/// What one machine makes of a field.
#[derive(Debug)]
pub(super) enum Rule {
    /// It is honoured.
    Read(Leaf),
    /// Only these values are taken, which need nothing done; why no others.
    Only(&'static [&'static str], &'static str),
    /// It changes nothing here; why.
    Ignored(&'static str),
    /// It changes nothing here but would elsewhere, so a warning says so; why.
    Noted(&'static str),
    /// It would change behaviour and is not supported; why, and what to do about it.
    Refused(&'static str, &'static str),
}

/// A check of a text, with a message that may show it.
pub(super) type Parse = fn(&str) -> Result<(), String>;

/// What a value must be.
#[derive(Debug)]
pub(super) enum Leaf {
    Text,
    /// Text that a parser takes.
    Parsed(Parse),
    /// Text that a parser takes and that must never be shown.
    Hidden(fn(&str) -> Result<(), &'static str>),
    Integer(i64, i64),
    Boolean,
    OneOf(&'static [&'static str]),
    /// A number, or a percentage.
    Amount,
    /// A port by number or by name.
    Port,
    /// Text, or a number that Kubernetes reads as text (`cpu: 1`).
    Quantity,
    Object(&'static Shape),
    /// At least so many of these.
    List(usize, &'static Leaf),
    /// A map with free keys: at least so many entries, the check of a key, and what each value must be.
    Map(usize, Parse, &'static Leaf),
}

impl Shape {
    pub(super) const fn new(name: &'static str, fields: &'static [Field]) -> Self {
        Self { name, fields, choices: &[] }
    }

    pub(super) const fn choosing(self, choices: &'static [Choice]) -> Self {
        Self { name: self.name, fields: self.fields, choices }
    }

    pub(super) fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

impl Field {
    /// The shape of its value, or of its items.
    pub(super) fn inner(&self) -> Option<&'static Shape> {
        match &self.rule {
            Rule::Read(Leaf::Object(shape) | Leaf::List(_, Leaf::Object(shape))) => Some(shape),
            _ => None,
        }
    }
}

pub(super) const fn at_most_one(fields: &'static [&'static str]) -> Choice {
    Choice { fields, required: false }
}

pub(super) const fn exactly_one(fields: &'static [&'static str]) -> Choice {
    Choice { fields, required: true }
}

pub(super) const fn required(name: &'static str, leaf: Leaf) -> Field {
    Field { name, required: true, rule: Rule::Read(leaf) }
}

pub(super) const fn optional(name: &'static str, leaf: Leaf) -> Field {
    Field { name, required: false, rule: Rule::Read(leaf) }
}

pub(super) const fn only(
    name: &'static str,
    values: &'static [&'static str],
    why: &'static str,
) -> Field {
    Field { name, required: false, rule: Rule::Only(values, why) }
}

pub(super) const fn ignored(name: &'static str, why: &'static str) -> Field {
    Field { name, required: false, rule: Rule::Ignored(why) }
}

pub(super) const fn noted(name: &'static str, why: &'static str) -> Field {
    Field { name, required: false, rule: Rule::Noted(why) }
}

pub(super) const fn refused(name: &'static str, why: &'static str, hint: &'static str) -> Field {
    Field { name, required: false, rule: Rule::Refused(why, hint) }
}
