use mercurious_contracts::{
    Point,
    problem::{FieldCode, FieldError},
};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Edits in a request at most.
const MOST: usize = 100;
/// Characters of a title at most.
pub(super) const TITLE: usize = 200;

/// Changes of a trip. Every position is meant as the trip was before; each is named once at most.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Edits {
    /// What to change.
    #[schema(min_items = 1, max_items = 100)]
    pub edits: Vec<Edit>,
}

/// Which slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct At {
    /// The day's number, from 1.
    #[schema(minimum = 1)]
    pub day: u32,
    /// Which of its slots, from 0.
    pub slot: usize,
}

/// What something costs the whole party, in the smallest unit of the trip's currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// At least.
    #[schema(minimum = 0)]
    pub min: i64,
    /// At most.
    #[schema(minimum = 0)]
    pub max: i64,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Edit {
    /// Planning again leaves it where it is.
    Lock {
        /// Which slot.
        at: At,
    },
    /// Planning again may change it.
    Unlock {
        /// Which slot.
        at: At,
    },
    /// It is not wanted.
    Remove {
        /// Which slot.
        at: At,
    },
    /// It begins at another time, maybe on another day, and lasts as long as before.
    Move {
        /// Which slot.
        at: At,
        /// To which day; the same unless said otherwise.
        #[serde(default)]
        day: Option<u32>,
        /// When it begins, with its offset (RFC 3339).
        #[schema(format = DateTime)]
        start: String,
    },
    /// Something else at the same time.
    Replace {
        /// Which slot.
        at: At,
        /// What people call it.
        #[schema(min_length = 1, max_length = 200)]
        title: String,
        /// Where it is.
        #[serde(default)]
        point: Option<Point>,
        /// What it costs; nothing unless said otherwise.
        #[serde(default)]
        cost: Option<Cost>,
    },
    /// Something of one's own.
    Add {
        /// On which day.
        day: u32,
        /// What people call it.
        #[schema(min_length = 1, max_length = 200)]
        title: String,
        /// When it begins, with its offset (RFC 3339).
        #[schema(format = DateTime)]
        start: String,
        /// When it ends.
        #[schema(format = DateTime)]
        end: String,
        /// Where it is.
        #[serde(default)]
        point: Option<Point>,
        /// What it costs; nothing unless said otherwise.
        #[serde(default)]
        cost: Option<Cost>,
    },
}

pub(super) fn fault(field: String, code: FieldCode, message: impl Into<String>) -> FieldError {
    FieldError { field, code, message: message.into() }
}

impl Edits {
    /// Reads edits from JSON; every one that cannot be read is named.
    pub fn from_json(body: &[u8]) -> Result<Self, Vec<FieldError>> {
        let whole = |message: String| vec![fault(String::new(), FieldCode::Malformed, message)];
        let value: Value = serde_json::from_slice(body)
            .map_err(|error| whole(format!("the body is not JSON: {error}")))?;
        let Value::Object(object) = value else {
            return Err(whole("is not an object with edits".to_owned()));
        };
        let mut faults: Vec<FieldError> = object
            .keys()
            .filter(|name| *name != "edits")
            .map(|name| fault(name.chars().take(100).collect(), FieldCode::Unknown, "is not known"))
            .collect();
        let mut edits = Vec::new();
        match object.get("edits") {
            None | Some(Value::Null) => {
                faults.push(fault("edits".to_owned(), FieldCode::Required, "is missing"));
            }
            Some(Value::Array(list)) if list.is_empty() => {
                faults.push(fault("edits".to_owned(), FieldCode::Empty, "is empty"));
            }
            Some(Value::Array(list)) if list.len() > MOST => {
                let message = format!("has more than {MOST} entries");
                faults.push(fault("edits".to_owned(), FieldCode::TooLong, message));
            }
            Some(Value::Array(list)) => {
                for (number, value) in list.iter().enumerate() {
                    match Edit::deserialize(value) {
                        Ok(edit) => edits.push(edit),
                        Err(error) => faults.push(fault(
                            format!("edits[{number}]"),
                            FieldCode::Malformed,
                            error.to_string().chars().take(200).collect::<String>(),
                        )),
                    }
                }
            }
            Some(_) => {
                faults.push(fault("edits".to_owned(), FieldCode::Malformed, "is not a list"));
            }
        }
        if faults.is_empty() { Ok(Self { edits }) } else { Err(faults) }
    }
}
