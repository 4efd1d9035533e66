//! A small trip and its hand-written plan, which keeps every rule.

use std::collections::{BTreeMap, BTreeSet};

use mercurious_itinerary::{
    itinerary::*,
    trip::{Day, *},
};

pub(crate) fn id(text: &str) -> PlaceId {
    PlaceId::new(text).unwrap()
}

pub(crate) fn tag(text: &str) -> Tag {
    Tag::new(text).unwrap()
}

pub(crate) fn place(name: &str, spot: u32, category: &str, minutes: i32, cost: i64) -> Place {
    Place {
        id: id(name),
        name: name.to_uppercase(),
        spot: Spot(spot),
        category: Category::new(category).unwrap(),
        minutes,
        score: Score(10),
        cost: Money(cost),
        hours: Hours::Days(vec![vec![Span::new(540, 1200)]; 2]),
        area: Some(Area(1)),
        tags: BTreeSet::from([tag("wheelchair")]),
        serves: BTreeSet::new(),
        source: "by hand".to_owned(),
        licence: "CC0-1.0".to_owned(),
        estimated: name == "a",
    }
}

pub(crate) fn day(date: &str) -> Day {
    Day {
        date: date.parse().unwrap(),
        clock: DayClock { offset: 60, change: None },
        start: Minute(540),
        end: Minute(1260),
        base: Base { start: Spot(0), end: Spot(0) },
        area: Some(Area(1)),
        meals: vec![MealPlan {
            kind: MealKind::Lunch,
            opens: Minute(720),
            closes: Minute(840),
            minutes: 60,
            cost: Money(1500),
        }],
        budget: Some(Money(6000)),
    }
}

/// Ten minutes and 500 m on foot between any two spots; spots 3 and 5 share a house.
pub(crate) fn travel(spots: u32) -> TravelTable {
    TravelTable::build(spots, |from, to| {
        if (from.0.min(to.0), from.0.max(to.0)) == (3, 5) {
            return Some(Leg::STAY);
        }
        Some(Leg { minutes: 10, metres: Metres(500), mode: Mode::Walk })
    })
}

pub(crate) fn trip() -> Trip {
    let mut restaurant = place("r", 3, "restaurant", 0, 2000);
    restaurant.serves.insert(MealKind::Lunch);
    Trip {
        days: vec![day("2026-03-04"), day("2026-03-05")],
        places: vec![
            place("a", 1, "museum", 90, 1000),
            place("b", 2, "park", 60, 0),
            restaurant,
            place("d", 5, "museum", 60, 300),
            place("c", 1, "zoo", 60, 0),
        ],
        events: vec![FixedEvent {
            id: EventId::new("e").unwrap(),
            title: "Concert".to_owned(),
            day: 0,
            start: Minute(900),
            end: Minute(960),
            spot: Spot(4),
            place: None,
            cost: Money(500),
            kept: None,
        }],
        must_do: BTreeSet::from([id("d")]),
        avoid: BTreeSet::from([id("c")]),
        pace: Pace::Moderate,
        max_walk: Some(Metres(5000)),
        budget: Some(Money(10_000)),
        currency: Currency::new("EUR").unwrap(),
        per_category: None,
        needs: BTreeSet::from([tag("wheelchair")]),
        diet: BTreeSet::new(),
        modes: BTreeSet::from([Mode::Walk]),
        language: Language::new("en").unwrap(),
        travel: travel(6),
    }
}

pub(crate) fn slot(start: i32, end: i32, cost: i64, activity: Activity) -> Slot {
    Slot {
        start: Minute(start),
        end: Minute(end),
        starts_at: String::new(),
        ends_at: String::new(),
        part: Part::Morning,
        cost: Money(cost),
        activity,
    }
}

pub(crate) fn free(start: i32, end: i32) -> Slot {
    slot(start, end, 0, Activity::Free)
}

pub(crate) fn way(start: i32, from: u32, to: u32) -> Slot {
    let (from, to) = (Spot(from), Spot(to));
    let activity = Activity::Travel { from, to, mode: Mode::Walk, metres: Metres(500) };
    slot(start, start + 10, 0, activity)
}

pub(crate) fn reference(trip: &Trip, name: &str) -> PlaceRef {
    let place = trip.places.iter().find(|place| place.id == id(name)).unwrap();
    place.into()
}

pub(crate) fn visit(trip: &Trip, name: &str, start: i32, end: i32) -> Slot {
    let cost = trip.places.iter().find(|place| place.id == id(name)).unwrap().cost;
    slot(start, end, cost.0, Activity::Visit { place: reference(trip, name) })
}

pub(crate) fn lunch(trip: &Trip, at: Option<&str>, start: i32) -> Slot {
    let place = at.map(|name| reference(trip, name));
    let cost = if at.is_some() { 2000 } else { 1500 };
    slot(start, start + 60, cost, Activity::Meal { meal: MealKind::Lunch, place })
}

pub(crate) fn unplaced(item: Item) -> Unplaced {
    Unplaced { item, asked_for: false, reason: Reason::NoRoom, detail: "no room".to_owned() }
}

pub(crate) fn itinerary(trip: &Trip) -> Itinerary {
    let event = Activity::Fixed {
        event: EventId::new("e").unwrap(),
        title: "Concert".to_owned(),
        place: None,
    };
    let first = vec![
        way(550, 0, 1),
        visit(trip, "a", 560, 650),
        way(650, 1, 2),
        free(660, 670),
        visit(trip, "b", 670, 730),
        way(730, 2, 3),
        free(740, 750),
        lunch(trip, Some("r"), 750),
        way(810, 3, 4),
        free(820, 900),
        slot(900, 960, 500, event),
        way(960, 4, 0),
    ];
    let second = vec![
        way(550, 0, 5),
        visit(trip, "d", 560, 620),
        free(620, 750),
        lunch(trip, None, 750),
        way(810, 5, 0),
    ];
    let day = |number: usize, slots| DayPlan {
        date: trip.days[number].date,
        slots,
        walk: Metres(0),
        cost: Money(0),
    };
    let mut itinerary = Itinerary {
        schema_version: SCHEMA_VERSION,
        planner: Planner { name: "by hand".to_owned(), version: "1".to_owned(), seed: 0 },
        language: trip.language.clone(),
        currency: trip.currency.clone(),
        days: vec![day(0, first), day(1, second)],
        totals: Totals::default(),
        unplaced: vec![unplaced(Item::Place { id: id("c") })],
        warnings: vec![Warning {
            code: WarningCode::Estimate,
            about: Item::Place { id: id("a") },
            message: "hours are estimates".to_owned(),
        }],
    };
    derive(trip, &mut itinerary);
    itinerary
}

/// Works out moments, parts of the day and sums from the slots.
pub(crate) fn derive(trip: &Trip, itinerary: &mut Itinerary) {
    let mut totals = Totals { by_category: BTreeMap::new(), ..Totals::default() };
    for (plan, day) in itinerary.days.iter_mut().zip(&trip.days) {
        (plan.walk, plan.cost) = (Metres(0), Money(0));
        for slot in &mut plan.slots {
            slot.starts_at = day.moment(slot.start);
            slot.ends_at = day.moment(slot.end);
            slot.part = match slot.start.0 {
                ..720 => Part::Morning,
                720..1080 => Part::Afternoon,
                _ => Part::Evening,
            };
            plan.cost.0 += slot.cost.0;
            let category = match &slot.activity {
                Activity::Visit { place } => {
                    totals.visits += 1;
                    place.category.to_string()
                }
                Activity::Meal { place: Some(place), .. } => place.category.to_string(),
                Activity::Meal { place: None, .. } => "meal".to_owned(),
                Activity::Fixed { .. } => "fixed".to_owned(),
                Activity::Travel { metres, .. } => {
                    plan.walk.0 += metres.0;
                    continue;
                }
                Activity::Free => continue,
            };
            totals.by_category.entry(category).or_default().0 += slot.cost.0;
        }
        totals.walk.0 += plan.walk.0;
        totals.cost.0 += plan.cost.0;
    }
    itinerary.totals = totals;
}
