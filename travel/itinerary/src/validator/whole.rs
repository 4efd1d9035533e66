//! Rules about the whole itinerary.

use std::collections::{BTreeMap, BTreeSet};

use super::rule::{At, Facts, Report, Rule, Violation, named};
use crate::{
    itinerary::{Activity, Item, Itinerary, WarningCode},
    trip::{Mode, Place, Trip},
};

const WHOLE: At = At { day: None, slot: None };

/// The days are the trip's days, in order.
pub(super) fn days(trip: &Trip, itinerary: &Itinerary, violations: &mut Vec<Violation>) {
    let mut report = Report { at: WHOLE, violations };
    if itinerary.days.len() != trip.days.len() {
        let message = format!("{} days, not {}", itinerary.days.len(), trip.days.len());
        report.add(Rule::MissingDay, message);
    }
    for (number, (plan, day)) in itinerary.days.iter().zip(&trip.days).enumerate() {
        if plan.date != day.date {
            report.at = At { day: Some(number), slot: None };
            report.add(Rule::MissingDay, format!("it is {}, not {}", plan.date, day.date));
        }
    }
}

pub(super) fn check(facts: &Facts<'_>, itinerary: &Itinerary, violations: &mut Vec<Violation>) {
    let mut report = Report { at: WHOLE, violations };
    if itinerary.language != facts.trip.language {
        let message = format!("{}, not {}", itinerary.language, facts.trip.language);
        report.add(Rule::WrongLanguage, message);
    }
    if itinerary.currency != facts.trip.currency {
        let message = format!("{}, not {}", itinerary.currency, facts.trip.currency);
        report.add(Rule::WrongCurrency, message);
    }
    let placed = placed(itinerary, &mut report);
    report.at = WHOLE;
    accounted(facts, itinerary, &placed, &mut report);
    estimates(facts, itinerary, &mut report);
    modes(itinerary, &mut report);
    totals(facts, itinerary, &mut report);
}

/// What the plan holds; says what it holds twice.
fn placed(itinerary: &Itinerary, report: &mut Report<'_>) -> BTreeSet<Item> {
    let mut placed = BTreeSet::new();
    for (day, plan) in itinerary.days.iter().enumerate() {
        for (slot, content) in plan.slots.iter().enumerate() {
            report.at = At { day: Some(day), slot: Some(slot) };
            if let Some(place) = named(content)
                && !placed.insert(Item::Place { id: place.id.clone() })
            {
                let rule = match content.activity {
                    Activity::Meal { .. } => Rule::RepeatedRestaurant,
                    _ => Rule::RepeatedPlace,
                };
                report.add(rule, format!("{} is in the plan already", place.id));
            }
            let item = match &content.activity {
                Activity::Meal { meal, .. } => Item::Meal { day, meal: *meal },
                Activity::Fixed { event, .. } => Item::Event { id: event.clone() },
                _ => continue,
            };
            if !placed.insert(item) {
                report.add(Rule::RepeatedSlot, "it is in the plan already");
            }
        }
    }
    placed
}

/// Everything is in the plan or reported, and not both.
fn accounted(
    facts: &Facts<'_>,
    itinerary: &Itinerary,
    placed: &BTreeSet<Item>,
    report: &mut Report<'_>,
) {
    let reported: BTreeSet<&Item> =
        itinerary.unplaced.iter().map(|unplaced| &unplaced.item).collect();
    for item in reported.iter().filter(|item| placed.contains(item)) {
        report.add(Rule::Contradiction, format!("{item:?} is in the plan and reported as missing"));
    }
    let missing = |item: &Item| !placed.contains(item) && !reported.contains(item);
    for place in &facts.trip.places {
        let must = facts.trip.must_do.contains(&place.id);
        if !must && missing(&Item::Place { id: place.id.clone() }) {
            let message = format!("{} is neither in the plan nor reported", place.id);
            report.add(Rule::Unaccounted, message);
        }
    }
    for id in &facts.trip.must_do {
        if missing(&Item::Place { id: id.clone() }) {
            let message = format!("{id} must be done and is neither in the plan nor reported");
            report.add(Rule::MissingMustDo, message);
        }
    }
    for event in &facts.trip.events {
        if missing(&Item::Event { id: event.id.clone() }) {
            let message = format!("{} is neither in the plan nor reported", event.id);
            report.add(Rule::MissingEvent, message);
        }
    }
    for (day, plan) in facts.trip.days.iter().enumerate().take(itinerary.days.len()) {
        for meal in &plan.meals {
            if missing(&Item::Meal { day, meal: meal.kind }) {
                report.at = At { day: Some(day), slot: None };
                let message = format!("its {:?} is neither in the plan nor reported", meal.kind);
                report.add(Rule::MissingMeal, message);
            }
        }
    }
    report.at = WHOLE;
}

fn estimates(facts: &Facts<'_>, itinerary: &Itinerary, report: &mut Report<'_>) {
    let marked: BTreeSet<&Item> = (itinerary.warnings.iter())
        .filter(|warning| warning.code == WarningCode::Estimate)
        .map(|warning| &warning.about)
        .collect();
    for (day, plan) in itinerary.days.iter().enumerate() {
        for (slot, content) in plan.slots.iter().enumerate() {
            let place: Option<&Place> = named(content).and_then(|place| facts.place(place));
            if let Some(place) = place.filter(|place| place.estimated)
                && !marked.contains(&Item::Place { id: place.id.clone() })
            {
                report.at = At { day: Some(day), slot: Some(slot) };
                let message = format!("{} rests on estimates and no warning says so", place.id);
                report.add(Rule::EstimateUnmarked, message);
            }
        }
    }
    report.at = WHOLE;
}

fn modes(itinerary: &Itinerary, report: &mut Report<'_>) {
    let slots = itinerary.days.iter().flat_map(|day| &day.slots);
    let used: BTreeSet<Mode> = slots
        .filter_map(|slot| match slot.activity {
            Activity::Travel { mode, .. } => Some(mode),
            _ => None,
        })
        .collect();
    if used.contains(&Mode::Car) && (used.contains(&Mode::Taxi) || used.contains(&Mode::Transit)) {
        let message = "a car of one's own does not go together with taxi or transit";
        report.add(Rule::ModeConflict, message);
    }
}

fn totals(facts: &Facts<'_>, itinerary: &Itinerary, report: &mut Report<'_>) {
    let (mut written, mut cost, mut walk, mut visits) = (0_i128, 0_i128, 0_u64, 0);
    let mut categories: BTreeMap<&str, i128> = BTreeMap::new();
    for plan in &itinerary.days {
        written += i128::from(plan.cost.0);
        walk += u64::from(plan.walk.0);
        for slot in &plan.slots {
            let category = match &slot.activity {
                Activity::Visit { place } | Activity::Meal { place: Some(place), .. } => {
                    let known = facts.place(place);
                    known.map_or(place.category.as_str(), |place| place.category.as_str())
                }
                Activity::Meal { place: None, .. } => "meal",
                Activity::Fixed { .. } => "fixed",
                Activity::Travel { .. } | Activity::Free => continue,
            };
            visits += usize::from(matches!(slot.activity, Activity::Visit { .. }));
            *categories.entry(category).or_default() += i128::from(slot.cost.0);
        }
    }
    for (plan, day) in itinerary.days.iter().zip(&facts.trip.days) {
        cost += plan.slots.iter().map(|slot| i128::from(facts.cost(day, slot))).sum::<i128>();
    }
    let totals = &itinerary.totals;
    if i128::from(totals.cost.0) != written {
        let message = format!("the days cost {written}, not {}", totals.cost);
        report.add(Rule::WrongTotals, message);
    }
    if u64::from(totals.walk.0) != walk {
        report.add(Rule::WrongTotals, format!("{walk} m on foot, not {}", totals.walk));
    }
    if totals.visits != visits {
        report.add(Rule::WrongTotals, format!("{visits} visits, not {}", totals.visits));
    }
    let found: BTreeMap<&str, i128> = (totals.by_category.iter())
        .map(|(category, money)| (category.as_str(), i128::from(money.0)))
        .collect();
    if found != categories {
        report.add(Rule::WrongTotals, "the categories' costs are not those of their slots");
    }
    if let Some(budget) = facts.trip.budget.filter(|budget| cost > i128::from(budget.0)) {
        report.add(Rule::OverBudget, format!("it costs {cost}, more than {budget}"));
    }
}
