//! Each rule catches the one thing that breaks it, and nothing else does.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod support;

use std::collections::BTreeSet;

use mercurious_itinerary::{
    itinerary::*,
    trip::*,
    validator::{At, Rule, Violation, limits, validate},
};
use support::*;

fn rules(violations: &[Violation]) -> BTreeSet<Rule> {
    violations.iter().map(|violation| violation.rule).collect()
}

type Break = fn(&mut Trip, &mut Itinerary);

/// Changes a slot and works out what follows from it.
fn set(trip: &Trip, itinerary: &mut Itinerary, day: usize, at: usize, slots: Vec<Slot>) {
    itinerary.days[day].slots.splice(at..=at, slots);
    derive(trip, itinerary);
}

/// Another way in the table and in the plan.
fn by(trip: &mut Trip, itinerary: &mut Itinerary, from: u32, to: u32, new: Mode) {
    let old = trip.travel.clone();
    trip.travel = TravelTable::build(old.spots(), |a, b| {
        let leg = old.leg(a, b)?;
        let mode = if (a.0, b.0) == (from, to) { new } else { leg.mode };
        Some(Leg { mode, ..leg })
    });
    for slot in itinerary.days.iter_mut().flat_map(|day| &mut day.slots) {
        if let Activity::Travel { from: a, to: b, mode, .. } = &mut slot.activity
            && (a.0, b.0) == (from, to)
        {
            *mode = new;
        }
    }
}

const BREAKS: &[(Rule, Break)] = &[
    (Rule::TooLarge, |_, plan| {
        plan.days[0].slots = vec![free(600, 601); limits::SLOTS + 1];
    }),
    (Rule::UnknownPlace, |_, plan| {
        let Activity::Visit { place } = &mut plan.days[0].slots[4].activity else { panic!() };
        place.id = id("ghost");
        plan.unplaced.push(unplaced(Item::Place { id: id("b") }));
    }),
    (Rule::UnknownEvent, |_, plan| {
        let Activity::Fixed { event, .. } = &mut plan.days[0].slots[10].activity else { panic!() };
        let known = std::mem::replace(event, EventId::new("ghost").unwrap());
        plan.unplaced.push(unplaced(Item::Event { id: known }));
    }),
    (Rule::UnknownMeal, |_, plan| {
        let Activity::Meal { meal, .. } = &mut plan.days[1].slots[3].activity else { panic!() };
        *meal = MealKind::Dinner;
        plan.unplaced.push(unplaced(Item::Meal { day: 1, meal: MealKind::Lunch }));
    }),
    (Rule::WrongArea, |trip, _| trip.places[1].area = Some(Area(2))),
    (Rule::BrokenRoute, |trip, plan| set(trip, plan, 0, 0, vec![free(550, 560)])),
    (Rule::BrokenRoute, |trip, plan| set(trip, plan, 0, 11, vec![free(960, 970)])),
    (Rule::BrokenRoute, |trip, plan| set(trip, plan, 0, 2, vec![way(650, 4, 2)])),
    (Rule::RepeatedPlace, |trip, plan| {
        let again = vec![free(620, 630), visit(trip, "d", 630, 690), free(690, 750)];
        set(trip, plan, 1, 2, again);
    }),
    (Rule::RepeatedRestaurant, |trip, plan| {
        let again = vec![lunch(trip, Some("r"), 750)];
        set(trip, plan, 1, 3, again);
    }),
    (Rule::RepeatedSlot, |trip, plan| {
        let again = vec![lunch(trip, None, 810), way(870, 5, 0)];
        set(trip, plan, 1, 4, again);
    }),
    (Rule::ModeConflict, |trip, plan| {
        trip.modes = BTreeSet::from([Mode::Walk, Mode::Car, Mode::Transit]);
        by(trip, plan, 0, 1, Mode::Car);
        by(trip, plan, 1, 2, Mode::Transit);
    }),
    (Rule::ModeForbidden, |trip, plan| by(trip, plan, 0, 1, Mode::Taxi)),
    (Rule::MissingDay, |_, plan| plan.days[1].date = plan.days[0].date),
    (Rule::MissingDay, |trip, plan| {
        plan.days.pop();
        for item in [Item::Place { id: id("d") }, Item::Meal { day: 1, meal: MealKind::Lunch }] {
            plan.unplaced.push(unplaced(item));
        }
        derive(trip, plan);
    }),
    (Rule::MissingMeal, |trip, plan| set(trip, plan, 1, 3, vec![free(750, 810)])),
    (Rule::Unaccounted, |_, plan| plan.unplaced.clear()),
    (Rule::Contradiction, |_, plan| {
        plan.unplaced.push(unplaced(Item::Place { id: id("b") }));
    }),
    (Rule::OverBudget, |trip, _| trip.budget = Some(Money(5299))),
    (Rule::OverDayBudget, |trip, _| trip.days[0].budget = Some(Money(3499))),
    (Rule::LacksDiet, |trip, _| {
        trip.diet.insert(tag("vegan"));
    }),
    (Rule::LacksNeed, |trip, _| trip.places[1].tags.clear()),
    (Rule::Overlap, |trip, plan| set(trip, plan, 1, 2, vec![free(610, 750)])),
    (Rule::Overlap, |trip, plan| set(trip, plan, 1, 2, vec![free(750, 749)])),
    (Rule::OutsideDay, |trip, plan| set(trip, plan, 1, 4, vec![way(1251, 5, 0)])),
    (Rule::OutsideDay, |trip, plan| {
        let early = vec![free(539, 550), way(550, 0, 5)];
        set(trip, plan, 1, 0, early);
    }),
    (Rule::TooLittleTravelTime, |trip, plan| {
        let mut hurried = way(650, 1, 2);
        hurried.end = Minute(655);
        set(trip, plan, 0, 2, vec![hurried, free(655, 660)]);
    }),
    (Rule::WrongTravel, |trip, plan| {
        let Activity::Travel { metres, .. } = &mut plan.days[0].slots[2].activity else { panic!() };
        *metres = Metres(400);
        derive(trip, plan);
    }),
    (Rule::WrongTravel, |trip, _| {
        let old = trip.travel.clone();
        trip.travel = TravelTable::build(old.spots(), |a, b| {
            if (a.0, b.0) == (4, 0) { None } else { old.leg(a, b) }
        });
    }),
    (Rule::Closed, |trip, _| {
        trip.places[1].hours = Hours::Days(vec![vec![Span::new(540, 729)]; 2]);
    }),
    (Rule::Closed, |trip, _| {
        // A lunch break in the middle of the visit.
        trip.places[1].hours =
            Hours::Days(vec![vec![Span::new(540, 690), Span::new(700, 1200)]; 2]);
    }),
    (Rule::Closed, |trip, _| trip.places[2].hours = Hours::Days(vec![Vec::new(); 2])),
    (Rule::TooShort, |trip, plan| {
        let short = vec![visit(trip, "b", 670, 729), free(729, 730)];
        set(trip, plan, 0, 4, short);
    }),
    (Rule::TooShort, |trip, plan| {
        let mut short = lunch(trip, None, 750);
        short.end = Minute(809);
        set(trip, plan, 1, 3, vec![short]);
    }),
    (Rule::MealOutsideWindow, |trip, plan| {
        let late = vec![free(750, 841), lunch(trip, None, 841), way(901, 5, 0)];
        plan.days[1].slots.truncate(4);
        set(trip, plan, 1, 3, late);
    }),
    (Rule::WrongUse, |trip, _| trip.places[2].serves = BTreeSet::from([MealKind::Dinner])),
    (Rule::WrongUse, |trip, _| {
        trip.places[1].serves.insert(MealKind::Lunch);
    }),
    (Rule::MissingEvent, |trip, plan| set(trip, plan, 0, 10, vec![free(900, 960)])),
    (Rule::MovedEvent, |trip, plan| {
        let slots = &mut plan.days[0].slots;
        (slots[10].start, slots[10].end) = (Minute(901), Minute(961));
        set(trip, plan, 0, 11, vec![way(961, 4, 0)]);
    }),
    (Rule::MissingMustDo, |trip, plan| set(trip, plan, 1, 1, vec![free(560, 620)])),
    (Rule::MissingMustDo, |trip, _| {
        trip.must_do.insert(id("nowhere"));
    }),
    (Rule::Avoided, |trip, _| {
        trip.avoid.insert(id("b"));
    }),
    (Rule::WrongTotals, |_, plan| plan.totals.cost.0 += 1),
    (Rule::WrongTotals, |_, plan| plan.totals.walk.0 += 1),
    (Rule::WrongTotals, |_, plan| plan.totals.visits += 1),
    (Rule::WrongTotals, |_, plan| {
        plan.totals.by_category.insert("shopping".to_owned(), Money(0));
    }),
    (Rule::WrongTotals, |_, plan| {
        // Two days wrong by as much as makes the sum right.
        plan.days[0].cost.0 += 1;
        plan.days[1].cost.0 -= 1;
    }),
    (Rule::WrongTotals, |_, plan| {
        plan.days[0].walk.0 += 1;
        plan.days[1].walk.0 -= 1;
    }),
    (Rule::WrongCost, |trip, plan| {
        plan.days[0].slots[4].cost = Money(5);
        derive(trip, plan);
    }),
    (Rule::WrongMoment, |_, plan| {
        // The same moment, written with another offset.
        plan.days[0].slots[1].starts_at = String::from("2026-03-04T08:20:00+00:00");
    }),
    (Rule::WrongMoment, |_, plan| {
        plan.days[0].slots[1].ends_at = String::from("2026-03-04T10:51:00+01:00");
    }),
    (Rule::WrongMoment, |_, plan| plan.days[0].slots[1].starts_at = String::from("half past nine")),
    (Rule::WrongMoment, |_, plan| plan.days[0].slots[1].part = Part::Evening),
    (Rule::WrongLanguage, |_, plan| plan.language = Language::new("fr").unwrap()),
    (Rule::WrongCurrency, |_, plan| plan.currency = Currency::new("JPY").unwrap()),
    (Rule::EstimateUnmarked, |_, plan| plan.warnings.clear()),
    (Rule::TooManyVisits, |trip, plan| {
        let mut slots = Vec::new();
        for number in 0..5 {
            let name = format!("extra-{number}");
            trip.places.push(place(&name, 5, "view", 0, 0));
            let at = 630 + number * 10;
            slots.extend([free(at - 10, at), visit(trip, &name, at, at)]);
        }
        slots.push(free(670, 750));
        set(trip, plan, 1, 2, slots);
    }),
    (Rule::TooLittleSlack, |trip, plan| {
        plan.days[0].slots[3].end = Minute(669);
        let early = vec![visit(trip, "b", 669, 730)];
        set(trip, plan, 0, 4, early);
    }),
    (Rule::TooMuchOfCategory, |trip, plan| {
        trip.per_category = Some(1);
        trip.places[1].category = Category::new("museum").unwrap();
        let museum = vec![visit(trip, "b", 670, 730)];
        set(trip, plan, 0, 4, museum);
    }),
    (Rule::TooMuchWalking, |trip, _| trip.max_walk = Some(Metres(2499))),
    (Rule::MissingSource, |_, plan| {
        let Activity::Visit { place } = &mut plan.days[0].slots[4].activity else { panic!() };
        place.source.clear();
    }),
    (Rule::MissingSource, |_, plan| {
        let Activity::Visit { place } = &mut plan.days[0].slots[4].activity else { panic!() };
        place.licence = String::from("mine");
    }),
];

#[test]
fn a_plan_that_keeps_every_rule_has_no_violation() {
    let trip = trip();
    trip.check().unwrap();
    assert_eq!(validate(&trip, &itinerary(&trip)), []);
}

#[test]
fn each_rule_catches_its_own_mutation_and_no_other_rule_does() {
    for (number, (rule, break_it)) in BREAKS.iter().enumerate() {
        let mut trip = trip();
        let mut itinerary = itinerary(&trip);
        break_it(&mut trip, &mut itinerary);
        let violations = validate(&trip, &itinerary);
        let found = rules(&violations);
        assert_eq!(found, BTreeSet::from([*rule]), "mutation {number}: {violations:#?}");
    }
}

#[test]
fn every_rule_has_a_mutation() {
    let broken: BTreeSet<Rule> = BREAKS.iter().map(|(rule, _)| *rule).collect();
    assert_eq!(broken, Rule::ALL.iter().copied().collect());
}

#[test]
fn a_violation_says_where_it_is() {
    let trip = trip();
    let mut plan = itinerary(&trip);
    plan.days[1].slots[1].cost = Money(1);
    let violations = validate(&trip, &plan);
    let cost = violations.iter().find(|violation| violation.rule == Rule::WrongCost).unwrap();
    assert_eq!(cost.at, At { day: Some(1), slot: Some(1) });
    assert_eq!(cost.to_string(), "day 1, slot 1: it costs 300, not 1 (wrong_cost)");
}

#[test]
fn what_nobody_would_write_is_judged_without_a_panic() {
    let trip = trip();
    let mut plan = itinerary(&trip);
    for (start, end) in [(i32::MIN, i32::MAX), (i32::MAX, i32::MIN), (0, 0)] {
        for day in &mut plan.days {
            day.cost = Money(i64::MAX);
            day.walk = Metres(u32::MAX);
            for slot in &mut day.slots {
                (slot.start, slot.end) = (Minute(start), Minute(end));
                slot.cost = Money(i64::MIN);
                if let Activity::Travel { from, to, metres, .. } = &mut slot.activity {
                    (*from, *to, *metres) = (Spot(u32::MAX), Spot(u32::MAX), Metres(u32::MAX));
                }
            }
        }
        assert!(!validate(&trip, &plan).is_empty());
    }
}

#[test]
fn trip_and_itinerary_survive_json() {
    let trip = trip();
    let plan = itinerary(&trip);
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Itinerary>(&text).unwrap(), plan);
    let text = serde_json::to_string(&trip).unwrap();
    assert_eq!(serde_json::from_str::<Trip>(&text).unwrap(), trip);
}
