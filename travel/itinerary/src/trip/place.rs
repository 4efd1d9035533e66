//! Places and events.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Area, Category, EventId, Hours, Minute, Money, PlaceId, Score, Spot, Tag};

/// A meal of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MealKind {
    /// In the morning.
    Breakfast,
    /// At noon.
    Lunch,
    /// In the evening.
    Dinner,
}

/// Somewhere to visit or to eat at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// What it is known by.
    pub id: PlaceId,
    /// What people call it.
    pub name: String,
    /// Where it is.
    pub spot: Spot,
    /// What kind it is.
    pub category: Category,
    /// How many minutes a visit lasts; a meal lasts as long as the day's plan says.
    pub minutes: i32,
    /// What it is worth.
    pub score: Score,
    /// What it costs, for the whole party.
    #[serde(default)]
    pub cost: Money,
    /// When it is open.
    pub hours: Hours,
    /// The area it lies in; without one it fits every day.
    #[serde(default)]
    pub area: Option<Area>,
    /// What it has.
    #[serde(default)]
    pub tags: BTreeSet<Tag>,
    /// The meals that one can have there. A place with any is eaten at and not visited.
    #[serde(default)]
    pub serves: BTreeSet<MealKind>,
    /// Where these facts are from.
    pub source: String,
    /// The licence they are under.
    pub licence: String,
    /// Whether hours, length or cost are estimates.
    #[serde(default)]
    pub estimated: bool,
}

/// Something agreed already: a booking, or a visit that must stay where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixedEvent {
    /// What it is known by.
    pub id: EventId,
    /// What people call it.
    pub title: String,
    /// The number of its day, from 0.
    pub day: usize,
    /// When it begins.
    pub start: Minute,
    /// When it ends.
    pub end: Minute,
    /// Where it is.
    pub spot: Spot,
    /// The candidate that it visits, if it visits one.
    #[serde(default)]
    pub place: Option<PlaceId>,
    /// What it costs.
    #[serde(default)]
    pub cost: Money,
    /// It was planned before and stays: what it counts as.
    #[serde(default)]
    pub kept: Option<Kept>,
}

/// What an event that was planned before counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// A visit of its place: it counts towards the pace and the category, with time to spare before it.
    Visit,
    /// A meal at its place: there is time to spare before it.
    Meal,
}
