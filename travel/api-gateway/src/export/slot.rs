//! What the formats want to know of a slot.

use jiff::Timestamp;
use mercurious_contracts::{
    CostRange, Currency, MealKind, Mode, Point,
    trip::{Activity, Place, Slot},
};

use super::ExportError;

/// What kind of slot it is, as its JSON says.
pub(super) fn kind(activity: &Activity) -> &'static str {
    match activity {
        Activity::Visit { .. } => "visit",
        Activity::Meal { .. } => "meal",
        Activity::Travel { .. } => "travel",
        Activity::Free => "free",
        Activity::Fixed { .. } => "fixed",
    }
}

/// What people call it.
pub(super) fn name(activity: &Activity) -> String {
    match activity {
        Activity::Visit { place } => place.name.clone(),
        Activity::Meal { meal: kind, place: Some(place) } => {
            format!("{}: {}", meal(*kind), place.name)
        }
        Activity::Meal { meal: kind, place: None } => meal(*kind).to_owned(),
        Activity::Travel { travel } => mode(travel.mode).to_owned(),
        Activity::Free => "Free time".to_owned(),
        Activity::Fixed { title, .. } => title.clone(),
    }
}

pub(super) fn meal(meal: MealKind) -> &'static str {
    match meal {
        MealKind::Breakfast => "Breakfast",
        MealKind::Lunch => "Lunch",
        MealKind::Dinner => "Dinner",
    }
}

pub(super) fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Walk => "Walk",
        Mode::Transit => "Transit",
        Mode::Car => "Car",
        Mode::Taxi => "Taxi",
    }
}

/// The place that it is at.
pub(super) fn place(activity: &Activity) -> Option<&Place> {
    match activity {
        Activity::Visit { place } => Some(place),
        Activity::Meal { place, .. } | Activity::Fixed { place, .. } => place.as_ref(),
        Activity::Travel { .. } | Activity::Free => None,
    }
}

/// Where it is.
pub(super) fn point(activity: &Activity) -> Option<Point> {
    match activity {
        Activity::Fixed { point: Some(point), .. } => Some(*point),
        other => place(other).map(|place| place.point),
    }
}

/// The moment that a slot's text stands for.
pub(super) fn moment(text: &str) -> Result<Timestamp, ExportError> {
    text.parse().map_err(|_| ExportError::Time(text.chars().take(50).collect()))
}

/// The time of the day that a slot's text shows.
pub(super) fn clock(text: &str) -> &str {
    text.get(11..16).unwrap_or(text)
}

/// An amount in whole units, with as many decimals as its currency has.
pub(super) fn amount(minor: i64, currency: &Currency) -> String {
    let decimals = currency.decimals();
    let unit = 10_u64.pow(decimals);
    let (sign, minor) = (if minor < 0 { "-" } else { "" }, minor.unsigned_abs());
    if decimals == 0 {
        return format!("{sign}{minor}");
    }
    let width = decimals as usize;
    format!("{sign}{}.{:0width$}", minor / unit, minor % unit)
}

/// A cost as people read it; none where it costs nothing.
pub(super) fn cost(cost: &CostRange) -> Option<String> {
    let currency = &cost.currency;
    match (cost.min, cost.max) {
        (0, 0) => None,
        (min, max) if min == max => Some(format!("{} {currency}", amount(min, currency))),
        (min, max) => {
            Some(format!("{}–{} {currency}", amount(min, currency), amount(max, currency)))
        }
    }
}

/// Why a slot is left out of formats that list what one does: nothing happens in it.
pub(super) fn is_gap(slot: &Slot) -> bool {
    matches!(slot.activity, Activity::Travel { .. } | Activity::Free)
}
