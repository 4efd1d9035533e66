//! One day of a trip planned anew: the others stay, what is locked stays, and the whole keeps every rule.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod support;

use std::{collections::BTreeSet, ops::ControlFlow};

use fastrand::Rng;
use jiff::Timestamp;
use mercurious_contracts::{
    facts::Facts,
    request::TripRequest,
    trip::{Activity, Itinerary, Slot, TripDay},
};
use mercurious_itinerary::{
    itinerary as plan, planner,
    trip::{Day, Metres, Minute, Money},
    validator::{self, Violation},
};
use mercurious_planning::{
    again::{self, AgainError, Made},
    problem::Problem,
    ways,
};
use serde_json::json;
use support::{any_request, facts, generate, request, visits};

fn again(
    request: &TripRequest,
    facts: &Facts,
    itinerary: &Itinerary,
    day: usize,
) -> Result<Itinerary, AgainError> {
    let settings = planner::Request { seed: 5, effort: 20_000 };
    let made = Made { request, facts, itinerary };
    again::day(made, day, &settings, &mut |_| ControlFlow::Continue(()))
}

fn place(slot: &Slot) -> Option<&str> {
    match &slot.activity {
        Activity::Visit { place } => Some(&place.id),
        Activity::Meal { place, .. } | Activity::Fixed { place, .. } => {
            place.as_ref().map(|place| place.id.as_str())
        }
        _ => None,
    }
}

fn is_done(slot: &Slot) -> bool {
    !matches!(slot.activity, Activity::Travel { .. } | Activity::Free)
}

/// The trip as the planner would hand it on, and the rules that it breaks.
fn judged(request: &TripRequest, facts: &Facts, itinerary: &Itinerary) -> Vec<Violation> {
    let problem = Problem::new(request, facts).unwrap();
    let trip = &problem.trip;
    let known = |id: &str| trip.places.iter().find(|place| place.id.as_str() == id).unwrap();
    let spot = |point| {
        let at = problem.points.iter().position(|known| *known == point).unwrap();
        mercurious_itinerary::trip::Spot(at as u32)
    };
    let minute = |day: &Day, moment: &str| {
        let since: Timestamp = day.moment(Minute(0)).parse().unwrap();
        let moment: Timestamp = moment.parse().unwrap();
        Minute((moment.duration_since(since).as_secs() / 60) as i32)
    };
    let word = |value: serde_json::Value| serde_json::from_value(value).unwrap();
    let slot = |day: &Day, slot: &Slot| plan::Slot {
        start: minute(day, &slot.start),
        end: minute(day, &slot.end),
        starts_at: slot.start.clone(),
        ends_at: slot.end.clone(),
        part: serde_json::from_value(json!(slot.part)).unwrap(),
        cost: Money(slot.cost.max),
        activity: match &slot.activity {
            Activity::Visit { place } => plan::Activity::Visit { place: known(&place.id).into() },
            Activity::Meal { meal, place } => plan::Activity::Meal {
                meal: word(json!(meal)),
                place: place.as_ref().map(|place| known(&place.id).into()),
            },
            Activity::Travel { travel } => plan::Activity::Travel {
                from: spot(travel.from),
                to: spot(travel.to),
                mode: ways::mode(travel.mode),
                metres: Metres(travel.walk_metres),
            },
            Activity::Free => plan::Activity::Free,
            Activity::Fixed { title, place, .. } => plan::Activity::Fixed {
                event: trip.events.iter().find(|event| event.title == *title).unwrap().id.clone(),
                title: title.clone(),
                place: place.as_ref().map(|place| known(&place.id).into()),
            },
        },
    };
    let days: Vec<plan::DayPlan> = (itinerary.days.iter().zip(&trip.days))
        .map(|(told, day)| plan::DayPlan {
            date: told.date,
            slots: told.slots.iter().map(|one| slot(day, one)).collect(),
            walk: Metres(told.walk_metres),
            cost: Money(told.cost.max),
        })
        .collect();
    let mut rebuilt = plan::Itinerary {
        schema_version: plan::SCHEMA_VERSION,
        planner: plan::Planner { name: "test".into(), version: "1".into(), seed: 1 },
        language: trip.language.clone(),
        currency: trip.currency.clone(),
        days,
        totals: plan::Totals {
            cost: Money(itinerary.totals.cost.max),
            by_category: (itinerary.totals.by_category.iter())
                .map(|(name, cost)| (name.clone(), Money(cost.max)))
                .collect(),
            walk: Metres(itinerary.totals.walk_metres),
            visits: itinerary.totals.visits as usize,
        },
        unplaced: Vec::new(),
        warnings: Vec::new(),
    };
    // What is not in it is told; whether it is told rightly is another test's.
    let placed: BTreeSet<&str> =
        itinerary.days.iter().flat_map(|day| &day.slots).filter_map(place).collect();
    let mut missing: Vec<plan::Item> = (trip.places.iter())
        .filter(|place| !placed.contains(place.id.as_str()))
        .map(|place| plan::Item::Place { id: place.id.clone() })
        .collect();
    for (number, (day, told)) in trip.days.iter().zip(&rebuilt.days).enumerate() {
        let has = |wanted| {
            let is_it = |slot: &plan::Slot| matches!(&slot.activity, plan::Activity::Meal { meal, .. } if *meal == wanted);
            told.slots.iter().any(is_it)
        };
        let gone = day.meals.iter().filter(|meal| !has(meal.kind));
        missing.extend(gone.map(|meal| plan::Item::Meal { day: number, meal: meal.kind }));
        if told.slots.is_empty() {
            missing.push(plan::Item::Transfer { day: number });
        }
    }
    let fixed = |event: &plan::Slot, id| matches!(&event.activity, plan::Activity::Fixed { event, .. } if event == id);
    for event in &trip.events {
        if !rebuilt.days.iter().flat_map(|day| &day.slots).any(|slot| fixed(slot, &event.id)) {
            missing.push(plan::Item::Event { id: event.id.clone() });
        }
    }
    rebuilt.unplaced = (missing.into_iter())
        .map(|item| plan::Unplaced {
            item,
            asked_for: false,
            reason: plan::Reason::NoRoom,
            detail: String::new(),
        })
        .collect();
    rebuilt.warnings = (trip.places.iter())
        .map(|place| plan::Warning {
            code: plan::WarningCode::Estimate,
            about: plan::Item::Place { id: place.id.clone() },
            message: String::new(),
        })
        .collect();
    validator::validate(trip, &rebuilt)
}

#[tokio::test]
async fn whatever_is_locked_the_whole_keeps_every_rule_and_the_other_days_stay() {
    let (mut changed, mut nothing) = (0, 0);
    for seed in 0..24 {
        let request = any_request(seed);
        let facts = facts(&request).await;
        let mut itinerary = generate(&request, &facts).await.unwrap();
        assert_eq!(judged(&request, &facts, &itinerary), [], "seed {seed}: the test itself");
        let mut rng = Rng::with_seed(seed);
        let slots = itinerary.days.iter_mut().flat_map(|day| &mut day.slots);
        slots.filter(|slot| is_done(slot)).for_each(|slot| slot.locked = rng.u32(..3) == 0);
        for number in 0..itinerary.days.len() {
            let new = match again(&request, &facts, &itinerary, number) {
                Ok(new) => new,
                Err(AgainError::Nothing) => {
                    nothing += 1;
                    continue;
                }
                Err(error) => panic!("seed {seed}, day {number}: {error:?}"),
            };
            changed += 1;
            let violations = judged(&request, &facts, &new);
            assert!(violations.is_empty(), "seed {seed}, day {number}: {violations:#?}");
            for (other, (before, after)) in itinerary.days.iter().zip(&new.days).enumerate() {
                if other != number {
                    assert_eq!(before, after, "seed {seed}");
                }
            }
            let (before, after) = (&itinerary.days[number], &new.days[number]);
            for slot in before.slots.iter().filter(|slot| slot.locked) {
                assert!(after.slots.contains(slot), "seed {seed}, day {number}: {slot:?}");
            }
            itinerary = new;
        }
    }
    assert!(changed > 30 && nothing < changed, "{changed} changed, {nothing} not");
}

async fn lisbon() -> (TripRequest, Facts, Itinerary) {
    let request = request("Lisbon", ("2026-05-04", "2026-05-06"), &json!({}));
    let facts = facts(&request).await;
    let itinerary = generate(&request, &facts).await.unwrap();
    (request, facts, itinerary)
}

#[tokio::test]
async fn the_day_is_another_one_and_its_title_says_so() {
    let (request, facts, before) = lisbon().await;
    let after = again(&request, &facts, &before, 1).unwrap();
    let (old, new) = (visits(&before.days[1]), visits(&after.days[1]));
    assert!(!new.is_empty() && new.iter().all(|place| !old.contains(place)), "{old:?} {new:?}");
    assert_ne!(before.days[1].title, after.days[1].title);
    assert_eq!((before.title, before.seed), (after.title.clone(), after.seed));
    let slots = after.days.iter().flat_map(|day| &day.slots);
    assert_eq!(after.totals.cost.max, slots.map(|slot| slot.cost.max).sum::<i64>());
    let (request, facts, before) = lisbon().await;
    assert_eq!(again(&request, &facts, &before, 1).unwrap(), after, "the same bytes");
}

fn locked(day: &mut TripDay) {
    day.slots.iter_mut().filter(|slot| is_done(slot)).for_each(|slot| slot.locked = true);
}

#[tokio::test]
async fn a_day_that_is_full_and_locked_stays_what_it_is() {
    let (request, facts, mut itinerary) = lisbon().await;
    locked(&mut itinerary.days[0]);
    let stays = again(&request, &facts, &itinerary, 0);
    assert!(matches!(stays, Err(AgainError::Nothing)), "{stays:?}");
    let none = again(&request, &facts, &itinerary, 3);
    assert!(matches!(none, Err(AgainError::NoSuchDay { days: 3 })), "{none:?}");
}

#[tokio::test]
async fn what_was_taken_out_leaves_room_for_something_else() {
    let (request, facts, mut itinerary) = lisbon().await;
    locked(&mut itinerary.days[0]);
    let visit = |slot: &Slot| matches!(slot.activity, Activity::Visit { .. });
    let at = itinerary.days[0].slots.iter().position(visit).unwrap();
    let gone = place(&itinerary.days[0].slots.remove(at)).unwrap().to_owned();
    let new = again(&request, &facts, &itinerary, 0).unwrap();
    let visits = visits(&new.days[0]);
    assert_eq!(visits.len(), 5, "as many as the pace allows: {visits:?}");
    assert!(new.days[0].slots.iter().filter(|slot| slot.locked).count() >= 4);
    assert!(itinerary.days[1].slots.iter().all(|slot| place(slot) != Some(&gone)));
}

#[tokio::test]
async fn what_is_locked_too_close_together_is_named_and_what_is_only_closer_than_the_pace_stays() {
    let (request, facts, itinerary) = lisbon().await;
    let own = |from: &str, until: &str, lat: f64| -> Slot {
        serde_json::from_value(json!({
            "start": format!("2026-05-05T{from}:00+01:00"), "end": format!("2026-05-05T{until}:00+01:00"),
            "part": "afternoon", "kind": "fixed", "title": "Tea", "point": {"lat": lat, "lon": -9.14},
            "cost": {"min": 0, "max": 900, "currency": "EUR"}, "locked": true,
        }))
        .unwrap()
    };
    let mut far = itinerary.clone();
    far.days[1].slots = vec![own("14:00", "15:00", 38.71), own("15:01", "16:00", 38.9)];
    let Err(AgainError::Apart { slots }) = again(&request, &facts, &far, 1) else {
        panic!("nobody is that quick")
    };
    assert_eq!(slots.len(), 1);
    assert_eq!(slots[0].0, 1);
    let mut near = itinerary.clone();
    let visit = |slot: &&Slot| matches!(slot.activity, Activity::Visit { .. });
    let mut kept = near.days[1].slots.iter().find(visit).unwrap().clone();
    let Activity::Visit { place } = &kept.activity else { panic!("no visit") };
    let mut tea = own("14:00", "15:00", place.point.lat);
    if let Activity::Fixed { point, .. } = &mut tea.activity {
        *point = Some(place.point);
    }
    kept.start = "2026-05-05T15:00:00+01:00".to_owned();
    kept.end = "2026-05-05T16:30:00+01:00".to_owned();
    kept.locked = true;
    near.days[1].slots = vec![tea.clone(), kept.clone()];
    let new = again(&request, &facts, &near, 1).unwrap();
    assert!(new.days[1].slots.contains(&tea) && new.days[1].slots.contains(&kept));
    assert!(new.days[1].slots.len() > 4, "{:?}", new.days[1].slots);
}

#[tokio::test]
async fn what_the_other_days_cost_is_spent() {
    let request = request(
        "Lisbon",
        ("2026-05-04", "2026-05-06"),
        &json!({"budget": {"amount": 20_000, "currency": "EUR"}}),
    );
    let facts = facts(&request).await;
    let mut itinerary = generate(&request, &facts).await.unwrap();
    let mut dear = itinerary.days[2].slots.iter().find(|slot| is_done(slot)).unwrap().clone();
    dear.cost.max = 20_000 - itinerary.totals.cost.max + dear.cost.max + itinerary.days[1].cost.max;
    let at = itinerary.days[2].slots.iter().position(is_done).unwrap();
    itinerary.days[2].slots[at] = dear;
    let new = again(&request, &facts, &itinerary, 1).unwrap();
    assert_eq!(new.days[1].cost.max, 0, "{:?}", new.days[1].slots);
    assert!(
        new.unplaced.iter().any(|unplaced| unplaced.reason == "out_of_budget"),
        "{:?}",
        new.unplaced
    );
}
