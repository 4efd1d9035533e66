//! The candidates as the planner has them.

use mercurious_contracts::{
    facts::{Facts, PlaceFacts},
    request::TripRequest,
};
use mercurious_itinerary::trip::{
    Category, Hours, Money, Place, PlaceId, Score, Span, TextError, limits,
};

use super::{Party, Spots, area, days, tags};

pub(super) fn places(
    request: &TripRequest,
    facts: &Facts,
    party: Party,
    spots: &mut Spots,
    notes: &mut Vec<(String, String)>,
) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for place in &facts.places {
        // Half of the spots are kept for bases and events.
        if places.len() >= limits::PLACES {
            break;
        }
        match read(place, request, facts, party, spots) {
            Ok(place) if places.iter().any(|known| known.id == place.id) => {}
            Ok(place) => places.push(place),
            Err(error) => {
                let message = format!("a candidate is left out: {error}");
                notes.push(("place_left_out".to_owned(), message));
            }
        }
    }
    places
}

fn read(
    place: &PlaceFacts,
    request: &TripRequest,
    facts: &Facts,
    party: Party,
    spots: &mut Spots,
) -> Result<Place, TextError> {
    let (_, cost) = party.range(&place.cost);
    let hours = place.hours.iter().map(|spans| spans.iter().copied().map(span).collect()).collect();
    let serves = (place.serves.iter())
        .filter(|meal| request.meals.contains(meal))
        .map(|meal| days::meal(*meal))
        .collect::<std::collections::BTreeSet<_>>();
    // A restaurant on a trip without its meals is no sight.
    let all = || place.serves.iter().map(|meal| days::meal(*meal)).collect();
    Ok(Place {
        id: PlaceId::new(&place.id)?,
        name: cut(&place.name),
        spot: spots.at(place.point),
        category: Category::new(&place.category)?,
        minutes: place.minutes.clamp(0, limits::MINUTE),
        score: Score(place.score.min(limits::SCORE)),
        cost: Money(cost),
        hours: Hours::Days(hours),
        area: area(facts, place.destination),
        tags: tags(place.tags.iter().take(limits::TAGS).map(String::as_str)),
        serves: if serves.is_empty() { all() } else { serves },
        source: cut(&place.provenance.source),
        licence: cut(&place.provenance.licence),
        estimated: place.estimated,
    })
}

fn span(span: mercurious_contracts::Span) -> Span {
    Span::new(span.opens.clamp(0, limits::MINUTE), span.closes.clamp(0, limits::MINUTE))
}

/// At most as many bytes as the planner takes, whole letters.
fn cut(text: &str) -> String {
    let mut end = text.len().min(limits::TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
