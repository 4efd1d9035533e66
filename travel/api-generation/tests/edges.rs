//! Trips at the edge of what makes sense get a plan that keeps every rule, or a clear answer.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod support;

use jiff::Timestamp;
use mercurious_contracts::trip::Activity;
use serde_json::json;
use support::{facts, generate, request, trip, visits, warned};

const MAY: (&str, &str) = ("2026-05-04", "2026-05-06");

#[tokio::test]
async fn three_days_in_lisbon_are_full_described_and_within_their_hours() {
    let trip = trip("Lisbon", MAY, json!({})).await;
    assert_eq!((trip.title.as_str(), trip.writer.as_str()), ("3 days in Lisbon", "template"));
    assert_eq!(trip.days.len(), 3);
    for day in &trip.days {
        assert!((1..=5).contains(&visits(day).len()), "{day:#?}");
        assert!(!day.title.is_empty() && day.text.is_some());
        assert!(day.slots.iter().all(|slot| slot.start.ends_with("+01:00")));
    }
    assert!(warned(&trip, "estimate"));
    assert!(trip.attributions.iter().any(|line| line.contains("GeoNames")));
    let visited: usize = trip.days.iter().map(|day| visits(day).len()).sum();
    assert_eq!(trip.totals.visits as usize, visited);
}

#[tokio::test]
async fn the_same_seed_and_facts_give_the_same_bytes_and_another_seed_is_said() {
    let request = request("Kyoto", MAY, &json!({"interests": {"temple": 5}}));
    let facts = facts(&request).await;
    let once =
        || async { serde_json::to_string(&generate(&request, &facts).await.unwrap()).unwrap() };
    assert_eq!(once().await, once().await);
    let mut other = request.clone();
    other.seed = Some(8);
    assert_eq!(generate(&other, &facts).await.unwrap().seed, 8);
}

#[tokio::test]
async fn a_clock_change_within_the_trip_moves_the_offset() {
    for (destination, days, before, after) in [
        ("Lisbon", ("2026-03-28", "2026-03-30"), "+00:00", "+01:00"),
        ("Lisbon", ("2026-10-24", "2026-10-26"), "+01:00", "+00:00"),
    ] {
        let trip = trip(destination, days, json!({})).await;
        assert!(trip.days[0].slots.iter().all(|slot| slot.start.ends_with(before)));
        for day in &trip.days[1..] {
            assert!(day.slots.iter().all(|slot| slot.start.ends_with(after)), "{day:#?}");
        }
        for slot in trip.days.iter().flat_map(|day| &day.slots) {
            let (start, end): (Timestamp, Timestamp) =
                (slot.start.parse().unwrap(), slot.end.parse().unwrap());
            assert!(start <= end);
        }
    }
}

#[tokio::test]
async fn a_trip_of_one_day_and_one_that_arrives_after_everything_is_shut() {
    let one = trip("Lisbon", ("2026-05-05", "2026-05-05"), json!({})).await;
    assert_eq!((one.days.len(), one.title.as_str()), (1, "One day in Lisbon"));
    let late = json!({"arrival_time": "23:30", "day_end": "23:45"});
    let late = trip("Lisbon", ("2026-05-05", "2026-05-06"), late).await;
    assert!(visits(&late.days[0]).is_empty());
    assert_eq!(late.days[0].title, "Arrival");
    let early = json!({"departure_time": "06:00"});
    let early = trip("Lisbon", ("2026-05-05", "2026-05-06"), early).await;
    assert!(visits(&early.days[1]).len() <= 1, "{:#?}", early.days[1]);
    let never = json!({"arrival_time": "20:00", "departure_time": "10:00"});
    let never = trip("Lisbon", ("2026-05-05", "2026-05-05"), never).await;
    assert!(visits(&never.days[0]).is_empty());
}

#[tokio::test]
async fn a_must_do_that_is_shut_on_all_days_is_named_with_its_reason() {
    let monday = json!({"must_do": ["Museu Nacional do Azulejo"]});
    let trip = trip("Lisbon", ("2026-05-04", "2026-05-04"), monday).await;
    let missing = &trip.unplaced[0];
    assert_eq!(missing.place_id.as_deref(), Some("lisbon:azulejo"));
    assert_eq!((missing.reason.as_str(), missing.asked_for), ("closed", true));
}

#[tokio::test]
async fn a_must_do_that_is_open_is_kept_and_one_that_nobody_knows_is_told() {
    let wishes = json!({"must_do": ["Oceanarium", "Sintra Palace of Nowhere"]});
    let trip = trip("Lisbon", MAY, wishes).await;
    assert!(trip.days.iter().any(|day| visits(day).contains(&"lisbon:oceanario")));
    let reasons: Vec<&str> = trip.unplaced.iter().map(|one| one.reason.as_str()).collect();
    assert_eq!(reasons, ["unknown"]);
}

#[tokio::test]
async fn with_no_budget_everything_is_free_and_what_is_missing_is_said() {
    let poor = json!({"budget": {"amount": 0, "currency": "EUR"}, "meals": []});
    let trip = trip("Lisbon", MAY, poor).await;
    assert_eq!((trip.totals.cost.min, trip.totals.cost.max), (0, 0));
    assert!(trip.totals.visits > 0, "there is enough that costs nothing");
}

#[tokio::test]
async fn a_budget_in_another_currency_is_kept_to_at_the_known_rate() {
    // 100 dollars are about 87 euros; thousandths of a dinar and whole yen likewise.
    for (currency, amount, euros) in
        [("USD", 10_000, 8_700), ("KWD", 30_000, 8_451), ("JPY", 15_000, 8_824)]
    {
        let budget = json!({"budget": {"amount": amount, "currency": currency}});
        let trip = trip("Lisbon", MAY, budget).await;
        assert_eq!(trip.currency.as_str(), "EUR");
        assert!(trip.totals.cost.max <= euros, "{currency}: {}", trip.totals.cost.max);
    }
}

#[tokio::test]
async fn an_unknown_rate_leaves_the_budget_out_and_says_so() {
    let budget = json!({"budget": {"amount": 100, "currency": "XPF"}});
    assert!(warned(&trip("Lisbon", MAY, budget).await, "budget_not_applied"));
}

#[tokio::test]
async fn of_fixed_events_that_overlap_the_earlier_is_kept_and_the_other_named() {
    let at = json!({"lat": 38.7139, "lon": -9.1394});
    let events = json!({"fixed": [
        {"title": "Concert", "start": "2026-05-05T19:30", "end": "2026-05-05T22:30", "point": at},
        {"title": "Play", "start": "2026-05-05T21:00", "end": "2026-05-05T23:00", "point": at},
    ]});
    let trip = trip("Lisbon", MAY, events).await;
    let fixed: Vec<&str> = (trip.days[1].slots.iter())
        .filter_map(|slot| match &slot.activity {
            Activity::Fixed { title, .. } => Some(title.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(fixed, ["Concert"]);
    let lost = trip.unplaced.iter().find(|one| one.name == "Play").unwrap();
    assert_eq!(lost.reason, "conflicts_with_fixed");
}

#[tokio::test]
async fn an_event_in_the_small_hours_belongs_to_the_evening_before() {
    let at = json!({"lat": 38.7139, "lon": -9.1394});
    let night = json!({"day_end": "03:00", "fixed": [
        {"title": "Fado", "start": "2026-05-06T00:30", "end": "2026-05-06T02:00", "point": at},
    ]});
    let trip = trip("Lisbon", MAY, night).await;
    let fado =
        trip.days[1].slots.iter().find(|slot| matches!(&slot.activity, Activity::Fixed { .. }));
    assert_eq!(fado.unwrap().start, "2026-05-06T00:30:00+01:00");
}

#[tokio::test]
async fn an_event_at_a_known_place_visits_it() {
    let event = json!({"fixed": [{
        "title": "Tour of the castle", "start": "2026-05-05T10:00", "end": "2026-05-05T11:30",
        "point": {"lat": 0.0, "lon": 0.0}, "place": "lisbon:castle",
    }]});
    let trip = trip("Lisbon", MAY, event).await;
    let castle = (trip.days[1].slots.iter()).find_map(|slot| match &slot.activity {
        Activity::Fixed { place: Some(place), .. } => Some(place.id.as_str()),
        _ => None,
    });
    assert_eq!(castle, Some("lisbon:castle"));
    assert!(trip.days.iter().all(|day| !visits(day).contains(&"lisbon:castle")), "not twice");
}

#[tokio::test]
async fn texts_are_in_the_language_that_was_asked_for_or_in_english_with_a_word() {
    for (language, title) in [
        ("fr", "3 jours à Lisbon"),
        ("de-AT", "3 Tage in Lisbon"),
        ("es", "3 días en Lisbon"),
        ("it", "3 giorni a Lisbon"),
        ("pt-BR", "3 dias em Lisbon"),
    ] {
        let trip = trip("Lisbon", MAY, json!({"language": language})).await;
        assert_eq!((trip.title.as_str(), trip.language.as_str()), (title, language));
        assert!(!warned(&trip, "language_not_available"));
    }
    let japanese = trip("Lisbon", MAY, json!({"language": "ja"})).await;
    assert_eq!((japanese.title.as_str(), japanese.language.as_str()), ("3 days in Lisbon", "en"));
    assert!(warned(&japanese, "language_not_available"));
}

#[tokio::test]
async fn a_party_pays_for_each_grown_up_and_half_for_each_child() {
    let price = async |travellers: serde_json::Value| {
        let more = json!({"travellers": travellers, "must_do": ["lisbon:oceanario"], "meals": []});
        let trip = trip("Lisbon", ("2026-05-05", "2026-05-05"), more).await;
        trip.totals.by_category["aquarium"].max
    };
    assert_eq!(price(json!({"adults": 1})).await, 2_800);
    assert_eq!(price(json!({"adults": 2, "children": [5], "infants": 1})).await, 7_000);
}

#[tokio::test]
async fn diets_wheelchairs_and_walking_are_respected() {
    let more = json!({"diet": ["vegan"], "mobility": {"wheelchair": true, "max_walk_m": 3_000}});
    let request = request("Lisbon", MAY, &more);
    let facts = facts(&request).await;
    let trip = generate(&request, &facts).await.unwrap();
    let tags = |id: &str| &facts.places.iter().find(|place| place.id == id).unwrap().tags;
    for day in &trip.days {
        assert!(day.walk_metres <= 3_000);
        for id in visits(day) {
            assert!(tags(id).iter().any(|tag| tag == "wheelchair"), "{id}");
        }
        for slot in &day.slots {
            if let Activity::Meal { place: Some(place), .. } = &slot.activity {
                assert!(tags(&place.id).iter().any(|tag| tag == "vegan"), "{}", place.id);
            }
        }
    }
}

#[tokio::test]
async fn two_cities_keep_their_places_and_the_way_between_is_left_to_the_traveller() {
    let more = json!({"destination": null, "destinations": [
        {"name": "Lisbon", "nights": 1}, {"name": "Kyoto"},
    ]});
    let trip = trip("", ("2026-05-04", "2026-05-06"), more).await;
    assert!(visits(&trip.days[0]).iter().all(|id| id.starts_with("lisbon:")));
    for day in &trip.days[1..] {
        assert!(visits(day).iter().all(|id| id.starts_with("kyoto:")), "{day:#?}");
        assert!(day.slots.iter().all(|slot| slot.start.ends_with("+09:00")));
    }
    assert!(warned(&trip, "transfer_not_planned"));
    assert_eq!(trip.title, "3 days in Lisbon and Kyoto");
}

#[tokio::test]
async fn points_at_the_pole_and_at_the_antimeridian_get_a_plan() {
    for (lat, lon) in [(90.0, 0.0), (-90.0, -180.0), (-16.8, 179.999), (78.22, 15.63)] {
        let more = json!({"destination": {"point": {"lat": lat, "lon": lon}}});
        let trip = trip("", MAY, more).await;
        assert!(trip.totals.visits > 0, "{lat} {lon}");
    }
}
