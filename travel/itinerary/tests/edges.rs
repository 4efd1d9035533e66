//! Trips at the edge of what makes sense get a clear answer.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic")]

use std::{collections::BTreeSet, ops::ControlFlow};

use mercurious_itinerary::{
    itinerary::*,
    planner::{Plan, PlanError, Request, plan},
    synthetic::{self, any_trip},
    trip::*,
    validator::validate,
};

fn id(text: &str) -> PlaceId {
    PlaceId::new(text).unwrap()
}

fn place(name: &str, spot: u32, minutes: i32) -> Place {
    Place {
        id: id(name),
        name: name.to_owned(),
        spot: Spot(spot),
        category: Category::new("museum").unwrap(),
        minutes,
        score: Score(10),
        cost: Money(0),
        hours: Hours::Always,
        area: None,
        tags: BTreeSet::new(),
        serves: BTreeSet::new(),
        source: "by hand".to_owned(),
        licence: "CC0-1.0".to_owned(),
        estimated: false,
    }
}

fn day(date: &str, start: i32, end: i32) -> Day {
    Day {
        date: date.parse().unwrap(),
        clock: DayClock { offset: 60, change: None },
        start: Minute(start),
        end: Minute(end),
        base: Base { start: Spot(0), end: Spot(0) },
        area: None,
        meals: Vec::new(),
        budget: None,
    }
}

fn event(name: &str, start: i32, end: i32) -> FixedEvent {
    FixedEvent {
        id: EventId::new(name).unwrap(),
        title: name.to_owned(),
        day: 0,
        start: Minute(start),
        end: Minute(end),
        spot: Spot(1),
        place: None,
        cost: Money(0),
        kept: None,
    }
}

fn lunch() -> MealPlan {
    MealPlan {
        kind: MealKind::Lunch,
        opens: Minute(720),
        closes: Minute(840),
        minutes: 60,
        cost: Money(1500),
    }
}

/// One day from nine to nine; ten minutes and 500 m between any two of ten spots.
fn trip(places: Vec<Place>) -> Trip {
    Trip {
        days: vec![day("2026-03-04", 540, 1260)],
        places,
        events: Vec::new(),
        must_do: BTreeSet::new(),
        avoid: BTreeSet::new(),
        pace: Pace::Packed,
        max_walk: None,
        budget: None,
        currency: Currency::new("JPY").unwrap(),
        per_category: None,
        needs: BTreeSet::new(),
        diet: BTreeSet::new(),
        modes: BTreeSet::from([Mode::Walk]),
        language: Language::new("ar").unwrap(),
        travel: TravelTable::build(10, |_, _| {
            Some(Leg { minutes: 10, metres: Metres(500), mode: Mode::Walk })
        }),
    }
}

fn planned(trip: &Trip) -> Itinerary {
    let request = Request { seed: 7, effort: 20_000 };
    let plan = plan(trip, &request, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(validate(trip, &plan.itinerary), []);
    plan.itinerary
}

fn visited(itinerary: &Itinerary) -> BTreeSet<String> {
    let slots = itinerary.days.iter().flat_map(|day| &day.slots);
    slots
        .filter_map(|slot| match &slot.activity {
            Activity::Visit { place } | Activity::Meal { place: Some(place), .. } => {
                Some(place.id.to_string())
            }
            _ => None,
        })
        .collect()
}

fn reason(itinerary: &Itinerary, item: &Item) -> Option<Reason> {
    itinerary.unplaced.iter().find(|unplaced| unplaced.item == *item).map(|found| found.reason)
}

fn why(itinerary: &Itinerary, name: &str) -> Option<Reason> {
    reason(itinerary, &Item::Place { id: id(name) })
}

fn faults(trip: &Trip) -> Vec<(String, FaultCode)> {
    let Err(PlanError::Trip(error)) =
        plan(trip, &Request::default(), &mut |_| ControlFlow::Continue(()))
    else {
        panic!("it was planned")
    };
    error.faults.into_iter().map(|fault| (fault.field, fault.code)).collect()
}

#[test]
fn no_places_and_no_days_give_an_empty_plan() {
    let mut trip = trip(Vec::new());
    assert!(planned(&trip).days[0].slots.is_empty());
    trip.days.clear();
    trip.travel = TravelTable::build(0, |_, _| None);
    assert!(planned(&trip).days.is_empty());
}

#[test]
fn one_place_is_visited_with_the_way_there_and_back() {
    let plan = planned(&trip(vec![place("a", 1, 60)]));
    assert_eq!(plan.days[0].slots.len(), 3, "{:#?}", plan.days[0].slots);
    assert_eq!((plan.totals.visits, plan.totals.walk), (1, Metres(1000)));
}

#[test]
fn a_place_without_a_worth_is_visited_all_the_same() {
    let mut worthless = place("a", 1, 60);
    worthless.score = Score(0);
    assert_eq!(visited(&planned(&trip(vec![worthless]))), BTreeSet::from(["a".to_owned()]));
}

#[test]
fn a_day_that_ends_before_it_starts_is_refused() {
    // Which is also an arrival after the departure.
    let mut trip = trip(vec![place("a", 1, 60)]);
    trip.days[0].end = Minute(539);
    assert_eq!(faults(&trip), [("days[0].end".to_owned(), FaultCode::EndsBeforeStart)]);
}

#[test]
fn all_faults_are_named_at_once() {
    let mut trip = trip(vec![place("a", 99, -1), place("a", 1, 60)]);
    trip.days.push(day("2026-03-04", 600, 500));
    trip.events.push(event("e", 700, 600));
    trip.budget = Some(Money(-1));
    trip.modes = BTreeSet::from([Mode::Car, Mode::Taxi]);
    let fields: Vec<String> = faults(&trip).into_iter().map(|(field, _)| field).collect();
    let expected = [
        "modes",
        "days[1].end",
        "days[1].date",
        "places[0].spot",
        "places[0].minutes",
        "places[1].id",
        "events[0].end",
        "budget",
    ];
    assert_eq!(fields, expected);
}

#[test]
fn a_day_of_no_length_holds_nothing() {
    let mut trip = trip(vec![place("a", 1, 60)]);
    trip.days[0].end = trip.days[0].start;
    let plan = planned(&trip);
    assert!(plan.days[0].slots.is_empty());
    assert_eq!(why(&plan, "a"), Some(Reason::Closed));
}

#[test]
fn a_day_too_short_for_its_own_transfer_holds_nothing_and_says_so() {
    let mut trip = trip(vec![place("a", 1, 0)]);
    trip.days[0].base.end = Spot(2);
    trip.days[0].end = Minute(549);
    trip.days[0].meals.push(lunch());
    trip.events.push(event("e", 540, 545));
    let plan = planned(&trip);
    assert!(plan.days[0].slots.is_empty());
    assert_eq!(reason(&plan, &Item::Transfer { day: 0 }), Some(Reason::TooFar));
    let event = Item::Event { id: EventId::new("e").unwrap() };
    assert_eq!(reason(&plan, &event), Some(Reason::OutsideDay));
}

#[test]
fn a_day_may_end_elsewhere_than_it_starts() {
    let mut trip = trip(Vec::new());
    trip.days[0].base.end = Spot(2);
    let plan = planned(&trip);
    assert!(matches!(plan.days[0].slots[0].activity, Activity::Travel { to: Spot(2), .. }));
}

#[test]
fn a_budget_of_nothing_leaves_what_is_free() {
    let mut dear = place("dear", 1, 60);
    dear.cost = Money(1);
    let mut trip = trip(vec![dear, place("free", 2, 60)]);
    trip.budget = Some(Money(0));
    let plan = planned(&trip);
    assert_eq!(visited(&plan), BTreeSet::from(["free".to_owned()]));
    assert_eq!(why(&plan, "dear"), Some(Reason::OutOfBudget));
    trip.days[0].meals.push(lunch());
    let meal = Item::Meal { day: 0, meal: MealKind::Lunch };
    assert_eq!(reason(&planned(&trip), &meal), Some(Reason::OutOfBudget));
}

#[test]
fn the_later_of_two_events_that_overlap_is_reported_and_the_earlier_kept() {
    let mut trip = trip(Vec::new());
    trip.events = vec![event("late", 650, 700), event("early", 600, 660)];
    let plan = planned(&trip);
    let late = Item::Event { id: EventId::new("late").unwrap() };
    assert_eq!(reason(&plan, &late), Some(Reason::ConflictsWithFixed));
    assert!(plan.unplaced[0].detail.contains("early"), "{:?}", plan.unplaced);
    assert_eq!(plan.unplaced.len(), 1);
}

#[test]
fn events_back_to_back_are_both_kept_and_one_outside_the_day_is_not() {
    let mut trip = trip(Vec::new());
    trip.events = vec![event("one", 600, 660), event("two", 660, 700), event("night", 1255, 1300)];
    let plan = planned(&trip);
    let night = Item::Event { id: EventId::new("night").unwrap() };
    assert_eq!(plan.unplaced.len(), 1);
    assert_eq!(reason(&plan, &night), Some(Reason::OutsideDay));
}

#[test]
fn what_an_event_visits_is_not_visited_again() {
    let mut trip = trip(vec![place("a", 1, 60)]);
    trip.events = vec![FixedEvent { place: Some(id("a")), ..event("tour", 600, 660) }];
    trip.must_do.insert(id("a"));
    let plan = planned(&trip);
    assert_eq!((plan.totals.visits, plan.unplaced.len()), (0, 0));
}

#[test]
fn an_impossible_must_do_is_named_with_its_reason() {
    let mut closed = place("closed", 1, 60);
    closed.hours = Hours::Days(vec![Vec::new()]);
    let mut long = place("long", 1, 60);
    long.minutes = 715;
    let mut trip = trip(vec![closed, long, place("shunned", 2, 60), place("lost", 9, 60)]);
    let table = trip.travel.clone();
    trip.travel = TravelTable::build(10, |a, b| if b.0 == 9 { None } else { table.leg(a, b) });
    trip.avoid.insert(id("shunned"));
    for name in ["closed", "long", "shunned", "lost", "unknown"] {
        trip.must_do.insert(id(name));
    }
    let plan = planned(&trip);
    assert_eq!(why(&plan, "closed"), Some(Reason::Closed));
    assert_eq!(why(&plan, "long"), Some(Reason::TooFar));
    assert_eq!(why(&plan, "shunned"), Some(Reason::Avoided));
    assert_eq!(why(&plan, "lost"), Some(Reason::Unreachable));
    assert_eq!(why(&plan, "unknown"), Some(Reason::Unknown));
    assert!(plan.unplaced.iter().all(|unplaced| unplaced.asked_for));
    assert_eq!(plan.warnings.len(), 5);
}

#[test]
fn a_must_do_comes_before_everything_that_is_worth_more() {
    let mut places: Vec<Place> = (1..9).map(|n| place(&format!("good-{n}"), n, 90)).collect();
    for place in &mut places {
        place.score = Score(limits::SCORE);
    }
    let mut dull = place("dull", 9, 400);
    dull.score = Score(0);
    places.push(dull);
    let mut trip = trip(places);
    assert!(!visited(&planned(&trip)).contains("dull"));
    trip.must_do.insert(id("dull"));
    assert!(visited(&planned(&trip)).contains("dull"));
}

#[test]
fn a_must_do_beside_an_event_that_takes_the_whole_day_is_in_conflict_with_it() {
    let mut trip = trip(vec![place("a", 2, 60)]);
    trip.events = vec![event("all day", 560, 1240)];
    trip.must_do.insert(id("a"));
    assert_eq!(why(&planned(&trip), "a"), Some(Reason::ConflictsWithFixed));
}

#[test]
fn full_days_say_what_they_are_full_of() {
    let places = (1..10).map(|n| place(&format!("p{n}"), n, 20)).collect();
    let mut trip = trip(places);
    trip.pace = Pace::Relaxed;
    let plan = planned(&trip);
    assert_eq!(plan.totals.visits, 3);
    assert!(plan.unplaced.iter().all(|unplaced| unplaced.reason == Reason::PaceFull));

    trip.per_category = Some(2);
    let plan = planned(&trip);
    assert_eq!(plan.totals.visits, 2);
    assert!(plan.unplaced.iter().all(|unplaced| unplaced.reason == Reason::CategoryFull));

    trip.max_walk = Some(Metres(1000));
    let plan = planned(&trip);
    assert_eq!(plan.totals.visits, 1);
    assert!(plan.unplaced.iter().all(|unplaced| unplaced.reason == Reason::TooMuchWalking));

    trip.days[0].end = Minute(600);
    let plan = planned(&trip);
    assert_eq!(plan.totals.visits, 1);
    assert!(plan.unplaced.iter().all(|unplaced| unplaced.reason == Reason::NoRoom));
}

#[test]
fn lunch_is_at_a_restaurant_that_is_open_and_fits_the_diet_or_wherever_one_is() {
    let vegan = Tag::new("vegan").unwrap();
    let restaurant = |name: &str, spot, opens, closes| {
        let mut place = place(name, spot, 0);
        place.serves.insert(MealKind::Lunch);
        place.hours = Hours::Days(vec![vec![Span::new(opens, closes)]]);
        place.tags.insert(vegan.clone());
        place
    };
    let mut steaks = restaurant("steaks", 3, 600, 1200);
    steaks.tags.clear();
    let places =
        vec![restaurant("dinner only", 1, 1080, 1200), restaurant("open", 2, 700, 900), steaks];
    let mut trip = trip(places);
    trip.days[0].meals.push(lunch());
    trip.diet.insert(vegan);
    let plan = planned(&trip);
    assert_eq!(visited(&plan), BTreeSet::from(["open".to_owned()]));
    assert_eq!(why(&plan, "steaks"), Some(Reason::LacksNeed));
    assert_eq!(why(&plan, "dinner only"), Some(Reason::NoMeal));

    trip.avoid.insert(id("open"));
    let plan = planned(&trip);
    let meal = &plan.days[0].slots[0].activity;
    assert_eq!(*meal, Activity::Meal { meal: MealKind::Lunch, place: None });
    assert_eq!(plan.totals.cost, Money(1500));
}

#[test]
fn a_lunch_that_events_leave_no_time_for_is_reported() {
    let mut trip = trip(Vec::new());
    trip.days[0].meals.push(lunch());
    trip.events = vec![event("long", 700, 860)];
    let meal = Item::Meal { day: 0, meal: MealKind::Lunch };
    assert_eq!(reason(&planned(&trip), &meal), Some(Reason::ConflictsWithFixed));
}

#[test]
fn a_bar_that_is_open_past_midnight_is_visited_past_midnight() {
    let mut bar = place("bar", 1, 60);
    bar.hours = Hours::Weekly {
        days: std::array::from_fn(
            |day| if day == 2 { vec![Span::new(1410, 1560)] } else { vec![] },
        ),
        exceptions: std::collections::BTreeMap::new(),
    };
    // A Wednesday that ends at two in the night.
    let mut trip = trip(vec![bar]);
    trip.days[0].start = Minute(1400);
    trip.days[0].end = Minute(1560);
    let plan = planned(&trip);
    let visit = &plan.days[0].slots[1];
    assert!(matches!(visit.activity, Activity::Visit { .. }), "{:#?}", plan.days[0].slots);
    assert!(visit.ends_at.starts_with("2026-03-05T00:"), "{}", visit.ends_at);
}

#[test]
fn on_days_with_a_change_of_clocks_hours_are_kept_as_clocks_show_them() {
    for (date, at, by, opening) in [
        ("2026-03-29", 120, 60, "2026-03-29T09:00:00+02:00"),
        ("2026-10-25", 180, -60, "2026-10-25T09:00:00+00:00"),
    ] {
        let mut museum = place("museum", 1, 60);
        museum.hours = Hours::Weekly {
            days: std::array::from_fn(|_| vec![Span::new(540, 600)]),
            exceptions: std::collections::BTreeMap::new(),
        };
        let mut trip = trip(vec![museum]);
        trip.days[0] = day(date, 240, 1320);
        trip.days[0].clock.change = Some(ClockChange { at: Minute(at), by });
        let plan = planned(&trip);
        let visit = plan.days[0].slots.iter().find(|slot| slot.starts_at == opening);
        assert!(
            visit.is_some_and(|slot| matches!(slot.activity, Activity::Visit { .. })),
            "{:#?}",
            plan.days[0].slots
        );
    }
}

#[test]
fn places_at_the_same_spot_are_visited_without_a_way_between_them() {
    let plan = planned(&trip((0..3).map(|n| place(&format!("p{n}"), 0, 60)).collect()));
    assert_eq!(plan.totals.visits, 3);
    let travels = |slot: &Slot| matches!(slot.activity, Activity::Travel { .. });
    assert!(!plan.days[0].slots.iter().any(travels));
}

#[test]
fn more_than_the_documented_limits_is_refused() {
    let many = (0..=limits::PLACES).map(|n| place(&format!("p{n}"), 1, 60)).collect();
    assert_eq!(faults(&trip(many)), [("places".to_owned(), FaultCode::TooMany)]);
    let mut long = trip(Vec::new());
    long.days = vec![day("2026-03-04", 540, 600); limits::DAYS + 1];
    assert_eq!(faults(&long), [("days".to_owned(), FaultCode::TooMany)]);
    let mut table = serde_json::to_value(trip(Vec::new())).unwrap();
    table["travel"]["spots"] = serde_json::json!(u32::MAX);
    let table: Trip = serde_json::from_value(table).unwrap();
    assert_eq!(faults(&table)[0], ("travel".to_owned(), FaultCode::TooMany));
    table.travel.leg(Spot(u32::MAX - 1), Spot(u32::MAX - 1));
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    for seed in 0..20 {
        let trip = any_trip(seed).unwrap();
        let text = || serde_json::to_string(&planned(&trip)).unwrap();
        assert_eq!(text(), text(), "seed {seed}");
    }
}

#[test]
fn a_search_that_is_told_to_stop_returns_the_best_so_far() {
    let trip = synthetic::trip(3, synthetic::Size { days: 4, places: 60 }).unwrap();
    let mut calls = 0;
    let mut stop = |_| {
        calls += 1;
        if calls == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let Plan { itinerary, interrupted, rounds } =
        plan(&trip, &Request::default(), &mut stop).unwrap();
    assert!(interrupted && rounds == 128, "{rounds}");
    assert!(itinerary.totals.visits > 0);
    assert_eq!(validate(&trip, &itinerary), []);
}

#[test]
fn names_of_any_script_are_taken_and_control_characters_are_not() {
    assert!(PlaceId::new("متحف الفن").is_ok());
    assert!(PlaceId::new("a\u{0}b").is_err());
    assert!(PlaceId::new(" ").is_err());
    assert!(PlaceId::new("x".repeat(201)).is_err());
    assert!(Currency::new("euro").is_err());
    assert!(Language::new("zh-Hant-TW").is_ok());
    assert!(Language::new("e").is_err());
}

#[test]
fn the_largest_trip_is_planned_too() {
    let size = synthetic::Size { days: limits::DAYS, places: limits::PLACES };
    let trip = synthetic::trip(1, size).unwrap();
    let plan = planned(&trip);
    assert!(plan.totals.visits > 30, "{}", plan.totals.visits);
}
