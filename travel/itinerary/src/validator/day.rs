//! Rules about single slots, and about what a day holds.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::rule::{At, Facts, Report, Rule, Violation, named};
use crate::{
    itinerary::{Activity, DayPlan, Part, Slot},
    trip::{Day, Kept, Minute, Place},
};

pub(super) fn check(
    facts: &Facts<'_>,
    number: usize,
    day: &Day,
    plan: &DayPlan,
    violations: &mut Vec<Violation>,
) {
    let mut last_end = i64::MIN;
    for (index, slot) in plan.slots.iter().enumerate() {
        let at = At { day: Some(number), slot: Some(index) };
        let mut report = Report { at, violations };
        let (start, end) = (i64::from(slot.start.0), i64::from(slot.end.0));
        if end < start {
            report.add(Rule::Overlap, "it ends before it starts");
        } else if start < last_end {
            report.add(Rule::Overlap, "it starts before the one before it has ended");
        }
        last_end = last_end.max(end);
        if slot.start < day.start || slot.end > day.end {
            let message = format!("it does not lie between {} and {}", day.start, day.end);
            report.add(Rule::OutsideDay, message);
        }
        moments(day, slot, &mut report);
        what(facts, number, day, slot, &mut report);
    }
    let mut report = Report { at: At { day: Some(number), slot: None }, violations };
    sums(facts, day, plan, &mut report);
}

fn moments(day: &Day, slot: &Slot, report: &mut Report<'_>) {
    for (text, minute) in [(&slot.starts_at, slot.start), (&slot.ends_at, slot.end)] {
        if let Err(message) = moment(day, text, minute) {
            report.add(Rule::WrongMoment, format!("{text}: {message}"));
        }
    }
    let offset = i64::from(day.clock.offset_at(slot.start)) - i64::from(day.clock.offset);
    let hour = (i64::from(slot.start.0) + offset).div_euclid(60).rem_euclid(24);
    let part = match hour {
        ..=11 => Part::Morning,
        12..=17 => Part::Afternoon,
        _ => Part::Evening,
    };
    if slot.part != part {
        report.add(Rule::WrongMoment, format!("it begins in the {part:?}"));
    }
}

/// Whether `text` is `minute` of the day, with the offset that holds then.
fn moment(day: &Day, text: &str, minute: Minute) -> Result<(), String> {
    let found: Timestamp = text.parse().map_err(|_| "not a moment with an offset".to_owned())?;
    let epoch = jiff::civil::date(1970, 1, 1);
    let days = day.date.duration_since(epoch).as_secs() / 86_400;
    let expected = days * 86_400 + (i64::from(minute.0) - i64::from(day.clock.offset)) * 60;
    if found.as_second() != expected || found.subsec_nanosecond() != 0 {
        return Err("not the moment of the slot's minute".to_owned());
    }
    let offset = day.clock.offset_at(minute);
    let sign = if offset < 0 { '-' } else { '+' };
    let written = format!("{sign}{:02}:{:02}", offset.abs() / 60, offset.abs() % 60);
    if text.ends_with(&written) { Ok(()) } else { Err(format!("the offset is {written}")) }
}

fn what(facts: &Facts<'_>, number: usize, day: &Day, slot: &Slot, report: &mut Report<'_>) {
    let length = i64::from(slot.end.0) - i64::from(slot.start.0);
    match &slot.activity {
        Activity::Visit { place } => {
            if let Some(place) = facts.place(place) {
                if length < i64::from(place.minutes) {
                    let message = format!("{} takes {} minutes", place.id, place.minutes);
                    report.add(Rule::TooShort, message);
                }
                if !place.serves.is_empty() {
                    report.add(Rule::WrongUse, format!("{} is for meals", place.id));
                }
            }
        }
        Activity::Meal { meal, place } => {
            match Facts::meal(day, *meal) {
                None => report.add(Rule::UnknownMeal, format!("no {meal:?} is asked for")),
                Some(plan) => {
                    if length < i64::from(plan.minutes) {
                        report
                            .add(Rule::TooShort, format!("a {meal:?} of {} minutes", plan.minutes));
                    }
                    if !(plan.opens..=plan.closes).contains(&slot.start) {
                        let message =
                            format!("it begins between {} and {}", plan.opens, plan.closes);
                        report.add(Rule::MealOutsideWindow, message);
                    }
                }
            }
            if let Some(place) = place.as_ref().and_then(|place| facts.place(place)) {
                if !place.serves.contains(meal) {
                    report.add(Rule::WrongUse, format!("{} serves no {meal:?}", place.id));
                }
                if !facts.trip.diet.is_subset(&place.tags) {
                    report.add(Rule::LacksDiet, format!("{} does not fit the diet", place.id));
                }
            }
        }
        Activity::Fixed { event, .. } => match facts.events.get(event) {
            Some(known) if known.day == number => {
                if (known.start, known.end) != (slot.start, slot.end) {
                    let message = format!("{event} is from {} to {}", known.start, known.end);
                    report.add(Rule::MovedEvent, message);
                }
            }
            _ => report.add(Rule::UnknownEvent, format!("no event {event} on this day")),
        },
        Activity::Travel { mode, .. } => {
            if *mode != crate::trip::Mode::Walk && !facts.trip.modes.contains(mode) {
                report.add(Rule::ModeForbidden, format!("{mode:?} is not allowed"));
            }
        }
        Activity::Free => {}
    }
    let cost = facts.cost(day, slot);
    if slot.cost.0 != cost {
        report.add(Rule::WrongCost, format!("it costs {cost}, not {}", slot.cost));
    }
    let Some(reference) = named(slot) else { return };
    let Some(place) = facts.place(reference) else {
        report.add(Rule::UnknownPlace, format!("{} is not among the candidates", reference.id));
        return;
    };
    if (&reference.source, &reference.licence) != (&place.source, &place.licence)
        || place.source.is_empty()
        || place.licence.is_empty()
    {
        report.add(Rule::MissingSource, format!("{} needs its source and licence", place.id));
    }
    // What is fixed was agreed by somebody else.
    if !matches!(slot.activity, Activity::Fixed { .. }) {
        wanted(facts, number, day, (slot, place), report);
    }
}

fn wanted(
    facts: &Facts<'_>,
    number: usize,
    day: &Day,
    (slot, place): (&Slot, &Place),
    report: &mut Report<'_>,
) {
    if let (Some(its), Some(days)) = (place.area, day.area)
        && its != days
    {
        report.add(Rule::WrongArea, format!("{} lies in area {its}, the day in {days}", place.id));
    }
    if facts.trip.avoid.contains(&place.id) {
        report.add(Rule::Avoided, format!("{} is to be avoided", place.id));
    }
    if !facts.trip.needs.is_subset(&place.tags) {
        report.add(Rule::LacksNeed, format!("{} lacks something that is needed", place.id));
    }
    let open = place.hours.on(number, day);
    if !open.iter().any(|span| span.opens <= slot.start && slot.end <= span.closes) {
        report.add(Rule::Closed, format!("{} is not open all the time", place.id));
    }
}

fn sums(facts: &Facts<'_>, day: &Day, plan: &DayPlan, report: &mut Report<'_>) {
    let mut visits = 0;
    let mut categories: BTreeMap<&str, usize> = BTreeMap::new();
    let mut written = 0_i128;
    let mut cost = 0_i128;
    let mut walk = 0_u64;
    for slot in &plan.slots {
        written += i128::from(slot.cost.0);
        cost += i128::from(facts.cost(day, slot));
        match &slot.activity {
            Activity::Visit { place } => {
                visits += 1;
                if let Some(place) = facts.place(place) {
                    *categories.entry(place.category.as_str()).or_default() += 1;
                }
            }
            Activity::Fixed { event, place, .. } => {
                let known = facts.events.get(event);
                if known.is_some_and(|event| event.kept == Some(Kept::Visit)) {
                    visits += 1;
                    if let Some(place) = place.as_ref().and_then(|place| facts.place(place)) {
                        *categories.entry(place.category.as_str()).or_default() += 1;
                    }
                }
            }
            Activity::Travel { metres, .. } => walk += u64::from(metres.0),
            _ => {}
        }
    }
    if i128::from(plan.cost.0) != written {
        report.add(Rule::WrongTotals, format!("its slots cost {written}, not {}", plan.cost));
    }
    if u64::from(plan.walk.0) != walk {
        report.add(Rule::WrongTotals, format!("its ways are {walk} m on foot, not {}", plan.walk));
    }
    if let Some(budget) = day.budget.filter(|budget| cost > i128::from(budget.0)) {
        report.add(Rule::OverDayBudget, format!("it costs {cost}, more than {budget}"));
    }
    let most = facts.trip.pace.visits();
    if visits > most {
        report.add(Rule::TooManyVisits, format!("{visits} visits are more than {most}"));
    }
    for (category, count) in categories {
        if let Some(most) = facts.trip.per_category.filter(|most| count > *most) {
            let message = format!("{count} of {category} are more than {most}");
            report.add(Rule::TooMuchOfCategory, message);
        }
    }
}
