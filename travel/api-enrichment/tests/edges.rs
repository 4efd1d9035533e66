//! Destinations and days at the edge of what makes sense get a clear answer.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod support;

use mercurious_contracts::{WeatherKind, message::JobErrorCode};
use serde_json::json;
use support::{facts, warned};

const MAY: (&str, &str) = ("2026-05-04", "2026-05-06");

#[tokio::test]
async fn a_known_city_has_everything_that_planning_needs() {
    let facts = facts("Lisboa", MAY, &json!({})).await.unwrap();
    let lisbon = &facts.destinations[0];
    assert_eq!((lisbon.name.as_str(), lisbon.country.as_str()), ("Lisbon", "PT"));
    assert_eq!(lisbon.time_zone, "Europe/Lisbon");
    assert_eq!(facts.currency.as_str(), "EUR");
    assert_eq!(lisbon.languages[0], "pt-PT");
    assert_eq!(facts.days.len(), 3);
    assert!(facts.days.iter().all(|day| day.offset_minutes == 60));
    assert!(facts.places.len() >= 40, "{}", facts.places.len());
    assert!(facts.places.iter().all(|place| place.hours.len() == 3 && place.estimated));
    assert!(facts.attributions.iter().any(|line| line.contains("GeoNames")));
    assert!(warned(&facts, "estimate") && !warned(&facts, "synthetic_places"));
    let weather = facts.days[0].weather.as_ref().unwrap();
    assert_eq!(weather.kind, WeatherKind::Normal);
    for place in &facts.places {
        assert!(!place.provenance.source.is_empty() && !place.provenance.licence.is_empty());
    }
    // Closed on Mondays: the fourth of May is one.
    let azulejo = facts.places.iter().find(|place| place.id == "lisbon:azulejo").unwrap();
    assert!(azulejo.hours[0].iter().all(|span| span.opens >= 1440), "{:?}", azulejo.hours);
    assert_eq!((azulejo.hours[1][0].opens, azulejo.hours[1][0].closes), (600, 1080));
}

#[tokio::test]
async fn an_unknown_place_is_an_error_with_the_nearest_names() {
    let error = facts("Lisbno", MAY, &json!({})).await.unwrap_err();
    assert_eq!(error.code, JobErrorCode::UnknownDestination);
    assert!(error.message.contains("Lisbon (Portugal)"), "{}", error.message);
    assert_eq!(error.errors[0].field, "destination");
    let error = facts("Xqzzyx", MAY, &json!({})).await.unwrap_err();
    assert_eq!((error.code, error.candidates.len()), (JobErrorCode::UnknownDestination, 0));
}

#[tokio::test]
async fn an_ambiguous_name_returns_candidates_whose_ids_work() {
    let error = facts("Springfield", MAY, &json!({})).await.unwrap_err();
    assert_eq!(error.code, JobErrorCode::AmbiguousDestination);
    assert!(error.candidates.len() >= 4);
    let chosen = error.candidates.iter().find(|one| one.region.as_deref() == Some("Illinois"));
    let id = &chosen.unwrap().place_id;
    let facts = facts("", MAY, &json!({"destination": {"place_id": id}})).await.unwrap();
    assert_eq!(facts.destinations[0].time_zone, "America/Chicago");
}

#[tokio::test]
async fn a_better_known_city_is_taken_and_said_so() {
    let facts = facts("Paris", MAY, &json!({})).await.unwrap();
    assert_eq!(facts.destinations[0].country.as_str(), "FR");
    assert!(warned(&facts, "destination_chosen"));
    assert!(warned(&facts, "synthetic_places"));
    assert!(facts.places.iter().all(|place| place.provenance.source.contains("made up")));
}

#[tokio::test]
async fn the_day_of_a_clock_change_knows_it() {
    let facts = facts("Lisbon", ("2026-03-28", "2026-03-30"), &json!({})).await.unwrap();
    let changes: Vec<bool> = facts.days.iter().map(|day| day.clock_change.is_some()).collect();
    assert_eq!(changes, [false, true, false]);
    assert_eq!([facts.days[0].offset_minutes, facts.days[2].offset_minutes], [0, 60]);
    // Ten o'clock is an hour earlier after midnight than on other days.
    let open = facts.places.iter().find(|place| place.id == "lisbon:oceanario").unwrap();
    let opens: Vec<i32> = open.hours.iter().map(|day| day[0].opens).collect();
    assert_eq!(opens, [600, 540, 600]);
}

#[tokio::test]
async fn a_day_that_the_date_line_took_away_is_an_error_of_the_dates() {
    let apia = facts("Apia", ("2011-12-29", "2011-12-31"), &json!({})).await.unwrap_err();
    assert_eq!(apia.code, JobErrorCode::InvalidRequest);
    assert!(apia.message.contains("2011-12-30"), "{}", apia.message);
    let later = facts("Apia", MAY, &json!({})).await.unwrap();
    assert_eq!(later.days[0].offset_minutes, 780);
}

#[tokio::test]
async fn currencies_with_no_and_with_three_decimals_are_kept_to() {
    let kyoto = facts("京都", MAY, &json!({})).await.unwrap();
    assert_eq!(kyoto.currency.as_str(), "JPY");
    let temple = kyoto.places.iter().find(|place| place.id == "kyoto:kinkaku-ji").unwrap();
    assert_eq!((temple.cost.min, temple.cost.max), (400, 500));
    let budget = json!({"budget": {"amount": "120.500", "currency": "KWD"}});
    let kuwait = facts("Kuwait City", MAY, &budget).await.unwrap();
    assert_eq!(kuwait.currency.as_str(), "KWD");
    // A museum costs dinars, in thousandths: some 2 to 6 of them.
    let dearest = kuwait.places.iter().map(|place| place.cost.max).max().unwrap();
    assert!((5_000..25_000).contains(&dearest), "{dearest}");
    let exchange = json!({"budget": {"amount": 50_000, "currency": "EUR"}});
    let rate = facts("Kuwait City", MAY, &exchange).await.unwrap().exchange.unwrap();
    assert_eq!((rate.from.as_str(), rate.to.as_str(), rate.millionths), ("EUR", "KWD", 355_000));
    assert!(rate.provenance.source.contains("estimate"));
}

#[tokio::test]
async fn names_in_other_scripts_and_from_right_to_left_are_found() {
    for (name, found) in [("القاهرة", "Cairo"), ("ירושלים", "Jerusalem"), ("Αθήνα", "Athens")]
    {
        let facts = facts(name, MAY, &json!({})).await.unwrap();
        assert_eq!(facts.destinations[0].name, found);
    }
}

#[tokio::test]
async fn a_point_at_the_pole_or_at_sea_has_the_time_of_its_longitude() {
    let at = |lat: f64, lon: f64| json!({"destination": {"point": {"lat": lat, "lon": lon}}});
    let pole = facts("", MAY, &at(89.9, 15.0)).await.unwrap();
    assert_eq!((pole.days[0].offset_minutes, pole.currency.as_str()), (60, "XXX"));
    assert!(warned(&pole, "remote_destination") && warned(&pole, "holidays_unknown"));
    let sea = facts("", MAY, &at(-35.0, 179.99)).await.unwrap();
    assert_eq!(sea.days[0].offset_minutes, 720);
    let (east, west) = (sea.places.iter()).partition::<Vec<_>, _>(|place| place.point.lon > 0.0);
    assert!(!east.is_empty() && !west.is_empty(), "on both sides of the antimeridian");
    let near = facts("", MAY, &at(38.72, -9.15)).await.unwrap();
    assert_eq!(
        (near.destinations[0].name.as_str(), near.destinations[0].point.lon),
        ("Lisbon", -9.15)
    );
}

#[tokio::test]
async fn days_are_spread_over_destinations_by_their_nights() {
    let more = json!({"destination": null, "destinations": [
        {"name": "Lisbon", "nights": 2}, {"name": "Porto", "country": "PT"},
    ]});
    let facts = facts("", ("2026-05-04", "2026-05-08"), &more).await.unwrap();
    let spread: Vec<usize> = facts.days.iter().map(|day| day.destination).collect();
    assert_eq!(spread, [0, 0, 1, 1, 1]);
    assert!(facts.places.iter().any(|place| place.destination == 1));
}

#[tokio::test]
async fn wishes_are_found_by_name_in_any_language_and_what_is_not_found_is_told() {
    let more = json!({
        "must_do": ["torre de belem", "lisbon:castle", "Eiffel Tower"],
        "avoid": ["Oceanário de Lisboa"],
    });
    let facts = facts("Lisbon", MAY, &more).await.unwrap();
    assert_eq!(facts.must_do, ["lisbon:belem-tower", "lisbon:castle"]);
    assert_eq!(facts.avoid, ["lisbon:oceanario"]);
    assert_eq!(facts.unresolved.len(), 1);
    assert_eq!(facts.unresolved[0].field, "must_do[2]");
}

#[tokio::test]
async fn a_public_holiday_is_named_and_shuts_what_closes_on_it() {
    let christmas = facts("Lisbon", ("2026-12-25", "2026-12-25"), &json!({})).await.unwrap();
    assert_eq!(christmas.days[0].holidays[0].name, "Christmas Day");
    let tower = christmas.places.iter().find(|place| place.id == "lisbon:belem-tower").unwrap();
    assert!(tower.hours[0].iter().all(|span| span.opens >= 1440), "{:?}", tower.hours);
}

#[tokio::test]
async fn interests_move_scores_and_none_at_all_are_fine() {
    let score = async |interests: serde_json::Value| {
        let facts = facts("Lisbon", MAY, &json!({"interests": interests})).await.unwrap();
        facts.places.iter().find(|place| place.id == "lisbon:gulbenkian").unwrap().score
    };
    let (liked, plain) = (score(json!({"museums": 5})).await, score(json!({})).await);
    let disliked = score(json!({"museum": 1, "park": 5})).await;
    assert!(liked > plain && plain > disliked, "{liked} {plain} {disliked}");
}

#[tokio::test]
async fn the_same_request_has_the_same_facts() {
    let once = || async { facts("Lyon", MAY, &json!({"interests": {"food": 4}})).await.unwrap() };
    let text = |facts| serde_json::to_string(&facts).unwrap();
    let (one, other) = (text(once().await), text(once().await));
    assert_eq!(one, other);
    assert!(one.len() < 400_000, "{} bytes", one.len());
}
