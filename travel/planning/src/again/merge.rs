//! The new day in the place of the old one.

use std::collections::BTreeSet;

use mercurious_contracts::{
    MealKind,
    trip::{Itinerary, TripDay, Unplaced},
};
use mercurious_itinerary::itinerary::{Activity, DayPlan};

use super::kept::{Stays, named};
use crate::{
    sums::sum_up,
    writer::{self, Phrases},
};

/// The trip with `told`'s only day as its day `number`; none where that changes nothing.
pub(super) fn merge(
    itinerary: &Itinerary,
    number: usize,
    told: Itinerary,
    (plan, stays): (&DayPlan, &[Stays]),
    phrases: &Phrases,
) -> Option<Itinerary> {
    let old = &itinerary.days[number];
    let (news, unplaced) = (told.days.into_iter().next()?, told.unplaced);
    let slots = news.slots.into_iter().zip(&plan.slots);
    let slots = slots.map(|(slot, planned)| {
        let is_it = |stays: &&Stays| match &planned.activity {
            Activity::Fixed { event, .. } => stays.event == *event,
            _ => false,
        };
        stays.iter().find(is_it).map_or(slot, |stays| old.slots[stays.slot].clone())
    });
    let day = TripDay { number: old.number, slots: slots.collect(), ..news };
    if day.slots == old.slots {
        return None;
    }
    let mut changed = itinerary.clone();
    changed.days[number] = day;
    sum_up(&mut changed);
    missing(&mut changed, number, unplaced, phrases);
    let texts = writer::write(&changed, phrases);
    if let Some((title, text)) = texts.days.into_iter().nth(number) {
        changed.days[number].title = title;
        changed.days[number].text = Some(text);
    }
    if changed.writer == "template" {
        changed.summary = Some(texts.summary);
    }
    Some(changed)
}

/// What is asked for and not in the plan: as before, less what is in it now, and what is not any more.
fn missing(changed: &mut Itinerary, number: usize, unplaced: Vec<Unplaced>, phrases: &Phrases) {
    let placed: BTreeSet<String> = (changed.days.iter())
        .flat_map(|day| &day.slots)
        .filter_map(named)
        .map(|place| place.id.clone())
        .collect();
    // The day's own meals and its way are told of anew.
    let date = changed.days[number].date;
    let own = |name: &str| {
        [MealKind::Breakfast, MealKind::Lunch, MealKind::Dinner]
            .into_iter()
            .map(|meal| phrases.meal(meal))
            .chain([phrases.transfer])
            .any(|what| name == format!("{what} ({date})"))
    };
    changed.unplaced.retain(|known| match &known.place_id {
        Some(id) => !placed.contains(id),
        None => !own(&known.name),
    });
    for new in unplaced {
        let known = |known: &Unplaced| (&known.name, &known.place_id) == (&new.name, &new.place_id);
        if !changed.unplaced.iter().any(known) {
            changed.unplaced.push(new);
        }
    }
}
