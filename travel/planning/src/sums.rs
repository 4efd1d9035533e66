//! Sums of an itinerary.

use std::collections::BTreeMap;

use mercurious_contracts::{
    CostRange, Currency,
    trip::{Activity, Itinerary, Slot},
};

/// Works out all sums again, from the slots.
pub fn sum_up(itinerary: &mut Itinerary) {
    let currency = itinerary.currency.clone();
    for day in &mut itinerary.days {
        day.walk_metres = day.slots.iter().map(walk).fold(0, u32::saturating_add);
        day.cost = sum(&currency, day.slots.iter().map(|slot| &slot.cost));
    }
    let slots = || itinerary.days.iter().flat_map(|day| &day.slots);
    let mut by_category: BTreeMap<String, Vec<&CostRange>> = BTreeMap::new();
    for slot in slots() {
        if let Some(category) = category(slot) {
            by_category.entry(category.to_owned()).or_default().push(&slot.cost);
        }
    }
    let by_category = by_category
        .into_iter()
        .map(|(category, costs)| (category, sum(&currency, costs.into_iter())))
        .collect();
    let is_visit = |slot: &&Slot| matches!(slot.activity, Activity::Visit { .. });
    let visits = slots().filter(is_visit).count() as u32;
    itinerary.totals.cost = sum(&currency, itinerary.days.iter().map(|day| &day.cost));
    itinerary.totals.by_category = by_category;
    itinerary.totals.visits = visits;
    itinerary.totals.walk_metres =
        itinerary.days.iter().map(|day| day.walk_metres).fold(0, u32::saturating_add);
}

/// What a slot's cost counts as; ways and free time cost nothing.
fn category(slot: &Slot) -> Option<&str> {
    match &slot.activity {
        Activity::Visit { place } | Activity::Meal { place: Some(place), .. } => {
            Some(&place.category)
        }
        Activity::Meal { place: None, .. } => Some("meal"),
        Activity::Fixed { .. } => Some("fixed"),
        Activity::Travel { .. } | Activity::Free => None,
    }
}

fn walk(slot: &Slot) -> u32 {
    match &slot.activity {
        Activity::Travel { travel } => travel.walk_metres,
        _ => 0,
    }
}

fn sum<'a>(currency: &Currency, costs: impl Iterator<Item = &'a CostRange>) -> CostRange {
    let none = CostRange { min: 0, max: 0, currency: currency.clone() };
    costs.fold(none, |sum, cost| CostRange {
        min: sum.min.saturating_add(cost.min),
        max: sum.max.saturating_add(cost.max),
        currency: sum.currency,
    })
}
