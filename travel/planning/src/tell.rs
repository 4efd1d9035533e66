//! A plan as people get it: points for spots, ranges for costs, names for ids.

use std::collections::BTreeMap;

use mercurious_contracts::{
    CostRange, Language, MealKind, Mode, Point,
    facts::{Facts, PlaceFacts},
    request::TripRequest,
    trip::{
        Activity, Base, Itinerary, Part, Place, Planner, SCHEMA_VERSION, Slot, Totals, Travel,
        TripDay, TripDestination, Unplaced, Warning,
    },
};
use mercurious_itinerary::{
    itinerary::{self as plan, Item},
    trip::{self, PlaceId, Spot},
};

use crate::{problem::Problem, writer::Phrases};

/// All that is needed to tell of a plan.
pub struct Teller<'a> {
    request: &'a TripRequest,
    facts: &'a Facts,
    problem: &'a Problem,
    phrases: &'a Phrases,
    places: BTreeMap<&'a str, &'a PlaceFacts>,
}

impl<'a> Teller<'a> {
    /// Of plans of `problem`.
    pub fn new(
        request: &'a TripRequest,
        facts: &'a Facts,
        problem: &'a Problem,
        phrases: &'a Phrases,
    ) -> Self {
        let places = facts.places.iter().map(|place| (place.id.as_str(), place)).collect();
        Self { request, facts, problem, phrases, places }
    }

    /// The itinerary, without titles and texts.
    pub fn itinerary(&self, plan: &plan::Itinerary, language: Language) -> Itinerary {
        let days: Vec<TripDay> =
            plan.days.iter().enumerate().map(|(number, day)| self.day(number, day)).collect();
        Itinerary {
            schema_version: SCHEMA_VERSION,
            title: String::new(),
            summary: None,
            seed: plan.planner.seed,
            planner: Planner {
                name: plan.planner.name.clone(),
                version: plan.planner.version.clone(),
            },
            writer: String::new(),
            language,
            currency: self.facts.currency.clone(),
            destinations: self.destinations(),
            totals: self.totals(plan, &days),
            days,
            unplaced: self.unplaced(plan),
            warnings: self.warnings(),
            attributions: self.facts.attributions.clone(),
        }
    }

    fn destinations(&self) -> Vec<TripDestination> {
        (self.facts.destinations.iter())
            .map(|destination| TripDestination {
                name: destination.name.clone(),
                country: destination.country.clone(),
                point: destination.point,
                time_zone: destination.time_zone.clone(),
                currency: destination.currency.clone(),
            })
            .collect()
    }

    fn day(&self, number: usize, day: &plan::DayPlan) -> TripDay {
        let slots: Vec<Slot> = day.slots.iter().map(|slot| self.slot(slot)).collect();
        let facts = &self.facts.days[number];
        let base = self.problem.trip.days[number].base;
        TripDay {
            number: number as u32 + 1,
            date: day.date,
            destination: facts.destination,
            title: String::new(),
            text: None,
            base: Some(Base { start: self.point(base.start), end: self.point(base.end) }),
            weather: facts.weather.clone(),
            holidays: facts.holidays.clone(),
            walk_metres: day.walk.0,
            cost: self.sum(slots.iter().map(|slot| &slot.cost)),
            slots,
        }
    }

    fn slot(&self, slot: &plan::Slot) -> Slot {
        let place = |reference: &plan::PlaceRef| self.place(&reference.id);
        let (activity, id) = match &slot.activity {
            plan::Activity::Visit { place: reference } => {
                (place(reference).map(|place| Activity::Visit { place }), Some(&reference.id))
            }
            plan::Activity::Meal { meal, place: reference } => {
                let activity = Activity::Meal {
                    meal: meal_kind(*meal),
                    place: reference.as_ref().and_then(place),
                };
                (Some(activity), reference.as_ref().map(|reference| &reference.id))
            }
            plan::Activity::Travel { from, to, mode, metres } => {
                let travel = Travel {
                    mode: mode_of(*mode),
                    minutes: u32::try_from(slot.end.0 - slot.start.0).unwrap_or(0),
                    walk_metres: metres.0,
                    from: self.point(*from),
                    to: self.point(*to),
                };
                (Some(Activity::Travel { travel }), None)
            }
            plan::Activity::Free => (Some(Activity::Free), None),
            plan::Activity::Fixed { event, title, place: reference } => {
                let events = &self.problem.trip.events;
                let spot = events.iter().find(|known| known.id == *event).map(|event| event.spot);
                let activity = Activity::Fixed {
                    title: title.clone(),
                    point: spot.map(|spot| self.point(spot)),
                    place: reference.as_ref().and_then(place),
                };
                (Some(activity), None)
            }
        };
        let cost = match (&slot.activity, id.and_then(|id| self.places.get(id.as_str()))) {
            (plan::Activity::Visit { .. } | plan::Activity::Meal { .. }, Some(place)) => {
                let (min, max) = self.problem.party.range(&place.cost);
                self.range(min, max)
            }
            _ => self.range(slot.cost.0, slot.cost.0),
        };
        let asked = id.is_some_and(|id| self.problem.trip.must_do.contains(id));
        Slot {
            start: slot.starts_at.clone(),
            end: slot.ends_at.clone(),
            part: match slot.part {
                plan::Part::Morning => Part::Morning,
                plan::Part::Afternoon => Part::Afternoon,
                plan::Part::Evening => Part::Evening,
            },
            // A place that is not among the facts is not told of; the validator has said so before.
            activity: activity.unwrap_or(Activity::Free),
            cost,
            locked: false,
            reason: asked.then(|| self.phrases.asked_for.to_owned()),
        }
    }

    fn place(&self, id: &PlaceId) -> Option<Place> {
        let facts = self.places.get(id.as_str())?;
        Some(Place {
            id: facts.id.clone(),
            name: facts.name.clone(),
            point: facts.point,
            category: facts.category.clone(),
            opening_hours: facts.opening_hours.clone(),
            estimated: facts.estimated,
            source: facts.provenance.source.clone(),
            licence: facts.provenance.licence.clone(),
        })
    }

    fn totals(&self, plan: &plan::Itinerary, days: &[TripDay]) -> Totals {
        let mut by_category: BTreeMap<String, Vec<&CostRange>> = BTreeMap::new();
        for slot in days.iter().flat_map(|day| &day.slots) {
            let category = match &slot.activity {
                Activity::Visit { place } | Activity::Meal { place: Some(place), .. } => {
                    &*place.category
                }
                Activity::Meal { place: None, .. } => "meal",
                Activity::Fixed { .. } => "fixed",
                Activity::Travel { .. } | Activity::Free => continue,
            };
            by_category.entry(category.to_owned()).or_default().push(&slot.cost);
        }
        Totals {
            cost: self.sum(days.iter().map(|day| &day.cost)),
            by_category: (by_category.into_iter())
                .map(|(category, costs)| (category, self.sum(costs.into_iter())))
                .collect(),
            walk_metres: plan.totals.walk.0,
            visits: plan.totals.visits as u32,
        }
    }

    /// What was asked for and is not in the plan, each with its reason.
    fn unplaced(&self, plan: &plan::Itinerary) -> Vec<Unplaced> {
        let mut told: Vec<Unplaced> = (plan.unplaced.iter())
            .filter(|unplaced| unplaced.asked_for)
            .map(|unplaced| {
                let (name, place_id) = self.called(&unplaced.item);
                Unplaced {
                    name,
                    place_id,
                    asked_for: true,
                    reason: code(unplaced.reason),
                    detail: self.phrases.reason(unplaced.reason).to_owned(),
                }
            })
            .collect();
        for unresolved in &self.facts.unresolved {
            if unresolved.field.starts_with("avoid") {
                continue;
            }
            told.push(Unplaced {
                name: unresolved.name.clone(),
                place_id: None,
                asked_for: true,
                reason: code(plan::Reason::Unknown),
                detail: unresolved.reason.clone(),
            });
        }
        told
    }

    fn called(&self, item: &Item) -> (String, Option<String>) {
        let date = |day: &usize| {
            self.facts.days.get(*day).map_or(String::new(), |day| day.date.to_string())
        };
        match item {
            Item::Place { id } => {
                let name = self.places.get(id.as_str()).map_or(id.as_str(), |place| &place.name);
                (name.to_owned(), Some(id.as_str().to_owned()))
            }
            Item::Event { id } => {
                let event = self.problem.trip.events.iter().find(|event| event.id == *id);
                (event.map_or_else(|| id.to_string(), |event| event.title.clone()), None)
            }
            Item::Meal { day, meal } => {
                (format!("{} ({})", self.phrases.meal(meal_kind(*meal)), date(day)), None)
            }
            Item::Transfer { day } => (format!("{} ({})", self.phrases.transfer, date(day)), None),
        }
    }

    fn warnings(&self) -> Vec<Warning> {
        let facts = self.facts.warnings.iter();
        let mut warnings: Vec<Warning> = facts
            .map(|warning| Warning { code: warning.code.clone(), message: warning.message.clone() })
            .collect();
        for (code, message) in &self.problem.notes {
            warnings.push(Warning { code: code.clone(), message: message.clone() });
        }
        for unresolved in &self.facts.unresolved {
            let message =
                format!("{}: {}: {}", unresolved.field, unresolved.name, unresolved.reason);
            warnings.push(Warning { code: "not_found".to_owned(), message });
        }
        if self.request.language.as_str() != self.phrases.language
            && !self.request.language.as_str().starts_with(&format!("{}-", self.phrases.language))
        {
            let message = format!("there are no texts in {}", self.request.language);
            warnings.push(Warning { code: "language_not_available".to_owned(), message });
        }
        warnings
    }

    fn range(&self, min: i64, max: i64) -> CostRange {
        CostRange { min, max, currency: self.facts.currency.clone() }
    }

    fn sum<'b>(&self, costs: impl Iterator<Item = &'b CostRange>) -> CostRange {
        let (mut min, mut max) = (0_i64, 0_i64);
        for cost in costs {
            min = min.saturating_add(cost.min);
            max = max.saturating_add(cost.max);
        }
        self.range(min, max)
    }

    fn point(&self, spot: Spot) -> Point {
        let fallback = self.facts.destinations[0].point;
        self.problem.points.get(spot.0 as usize).copied().unwrap_or(fallback)
    }
}

/// The planner's word, as it is written.
fn code(reason: plan::Reason) -> String {
    match serde_json::to_value(reason) {
        Ok(serde_json::Value::String(code)) => code,
        _ => "unknown".to_owned(),
    }
}

fn meal_kind(meal: trip::MealKind) -> MealKind {
    match meal {
        trip::MealKind::Breakfast => MealKind::Breakfast,
        trip::MealKind::Lunch => MealKind::Lunch,
        trip::MealKind::Dinner => MealKind::Dinner,
    }
}

fn mode_of(mode: trip::Mode) -> Mode {
    match mode {
        trip::Mode::Walk => Mode::Walk,
        trip::Mode::Transit => Mode::Transit,
        trip::Mode::Car => Mode::Car,
        trip::Mode::Taxi => Mode::Taxi,
    }
}
