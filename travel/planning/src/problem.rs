//! From facts and a request to a trip that can be planned.

mod days;
mod money;
mod places;

use std::collections::BTreeSet;

use mercurious_contracts::{
    Point,
    facts::Facts,
    message::{JobError, JobErrorCode},
    request::{self, TripRequest},
};
use mercurious_itinerary::trip::{
    Area, Currency, EventId, FixedEvent, Language, Metres, Minute, Money, Pace, PlaceId, Spot, Tag,
    Trip,
};

use crate::ways;

pub(crate) use days::meal;
pub use money::Party;

/// A trip, and what is needed to tell people about its plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// What is planned.
    pub trip: Trip,
    /// Where each spot is.
    pub points: Vec<Point>,
    /// Who pays.
    pub party: Party,
    /// What one should know: codes and sentences.
    pub notes: Vec<(String, String)>,
}

/// Points, each once, in the order in which they were asked for.
#[derive(Default)]
struct Spots(Vec<Point>);

impl Spots {
    fn at(&mut self, point: Point) -> Spot {
        let known = self.0.iter().position(|known| *known == point);
        Spot(known.unwrap_or_else(|| {
            self.0.push(point);
            self.0.len() - 1
        }) as u32)
    }
}

impl Problem {
    /// Puts the trip together. What cannot be planned as it stands is an error that says why.
    pub fn new(request: &TripRequest, facts: &Facts) -> Result<Self, JobError> {
        if facts.days.is_empty() || facts.destinations.is_empty() {
            return Err(JobError::new(JobErrorCode::NoPlan, "the facts have no days"));
        }
        let mut notes = Vec::new();
        let party = Party::new(&request.travellers);
        let mut spots = Spots::default();
        let mut days = days::days(request, facts, party, &mut spots);
        let avoid = ids(&facts.avoid);
        let places = places::places(request, facts, party, &mut spots, &mut notes);
        let events = events(request, facts, &places, &avoid, &mut spots);
        days::widen(&mut days, &events, request, &spots.0, &facts.travel);
        let mut modes: BTreeSet<_> =
            request.transport.iter().map(|mode| ways::mode(*mode)).collect();
        modes.insert(mercurious_itinerary::trip::Mode::Walk);
        let needs =
            if request.mobility.wheelchair { tags(["wheelchair"]) } else { BTreeSet::new() };
        let (budget, per_day) = money::budget(request, facts, &mut notes);
        for day in &mut days {
            day.budget = per_day.map(Money);
        }
        days::tell_of_transfers(facts, &mut notes);
        let trip = Trip {
            days,
            events,
            must_do: ids(&facts.must_do),
            avoid,
            pace: match request.pace {
                request::Pace::Relaxed => Pace::Relaxed,
                request::Pace::Moderate => Pace::Moderate,
                request::Pace::Packed => Pace::Packed,
            },
            max_walk: request.mobility.max_walk_m.map(Metres),
            budget: budget.map(Money),
            currency: Currency::new(facts.currency.as_str()).map_err(|error| unfit(&error))?,
            per_category: request.max_per_category.map(|most| most as usize),
            needs,
            diet: tags(request.diet.iter().map(|diet| diet.trim().to_lowercase())),
            modes,
            language: Language::new(request.language.as_str()).map_err(|error| unfit(&error))?,
            travel: ways::table(&spots.0, &facts.travel),
            places,
        };
        trip.check().map_err(|error| unfit(&error))?;
        Ok(Self { trip, points: spots.0, party, notes })
    }
}

fn unfit(error: &dyn std::fmt::Display) -> JobError {
    JobError::new(JobErrorCode::NoPlan, format!("the facts make no trip: {error}"))
}

fn ids(names: &[String]) -> BTreeSet<PlaceId> {
    names.iter().filter_map(|name| PlaceId::new(name).ok()).collect()
}

fn tags<T: Into<String>>(words: impl IntoIterator<Item = T>) -> BTreeSet<Tag> {
    words.into_iter().filter_map(|word| Tag::new(word).ok()).collect()
}

/// Where the days are spent, where there is more than one place for it.
fn area(facts: &Facts, destination: usize) -> Option<Area> {
    (facts.destinations.len() > 1).then_some(Area(destination as u32))
}

/// What is agreed already, as far as it lies on a day of the trip.
fn events(
    request: &TripRequest,
    facts: &Facts,
    places: &[mercurious_itinerary::trip::Place],
    avoid: &BTreeSet<PlaceId>,
    spots: &mut Spots,
) -> Vec<FixedEvent> {
    let mut events: Vec<FixedEvent> = Vec::new();
    for (number, wish) in request.fixed.iter().enumerate() {
        let Ok(id) = EventId::new(format!("fixed-{number}")) else { continue };
        let Some((day, start, end)) = days::placed(wish, request, facts) else { continue };
        let named = wish.place.as_deref().and_then(|name| {
            places.iter().find(|place| {
                place.id.as_str() == name || place.name.to_lowercase() == name.to_lowercase()
            })
        });
        // Two events at one place, or an event at a place to be avoided, are events of their own.
        let taken = |place: &&mercurious_itinerary::trip::Place| {
            !avoid.contains(&place.id)
                && !events.iter().any(|event| event.place.as_ref() == Some(&place.id))
        };
        let place = named.filter(taken);
        events.push(FixedEvent {
            id,
            title: wish.title.chars().take(200).collect::<String>(),
            day,
            start: Minute(start),
            end: Minute(end.max(start)),
            spot: place.map_or_else(|| spots.at(wish.point), |place| place.spot),
            place: place.map(|place| place.id.clone()),
            cost: Money(0),
            kept: None,
        });
    }
    events
}
