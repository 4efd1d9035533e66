//! A trip as a problem of team orienteering.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    itinerary::{Reason, Unplaced},
    orienteering::{Problem, Role, Stop, StopId, Tour, UNREACHABLE, Window},
    trip::{Category, Day, FixedEvent, Kept, MealPlan, Place, PlaceId, Span, Trip},
};

/// What a must-do is worth beside its score: more than all other places together.
const MUST_DO: i64 = 200_000_000;

/// What a stop of the problem stands for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Meaning<'a> {
    Place(&'a Place),
    Event(&'a FixedEvent),
    Meal { day: usize, meal: &'a MealPlan },
}

pub(super) struct Compiled<'a> {
    pub(super) trip: &'a Trip,
    /// One tour for each day; that of an impossible day holds nothing.
    pub(super) problem: Problem,
    /// The categories of the places, in order.
    categories: Vec<&'a Category>,
    /// What each stop stands for.
    pub(super) meanings: Vec<Meaning<'a>>,
    /// The days on which nothing can be done, as their own start and end do not go together.
    pub(super) impossible: BTreeSet<usize>,
    /// The stops of events, in order of time, and of meals: not part of any tour yet.
    pub(super) events: Vec<StopId>,
    pub(super) meals: Vec<StopId>,
    /// What will not be planned, known before the search.
    pub(super) refused: Vec<Unplaced>,
    /// Places that are no candidates, and why.
    pub(super) excluded: BTreeMap<&'a PlaceId, Reason>,
}

impl<'a> Compiled<'a> {
    pub(super) fn new(trip: &'a Trip) -> Self {
        let spots = trip.travel.spots();
        let mut times = Vec::with_capacity(spots as usize * spots as usize);
        let mut metres = Vec::with_capacity(times.capacity());
        for from in 0..spots {
            for to in 0..spots {
                let leg = trip.travel.leg(crate::trip::Spot(from), crate::trip::Spot(to));
                times.push(leg.map_or(UNREACHABLE, |leg| leg.minutes));
                metres.push(leg.map_or(0, |leg| leg.metres.0 as i32));
            }
        }
        let tours = trip.days.iter().map(|day| tour(trip, day)).collect();
        let categories: BTreeSet<_> = trip.places.iter().map(|place| &place.category).collect();
        let categories: Vec<_> = categories.into_iter().collect();
        let mut compiled = Self {
            trip,
            problem: Problem {
                locations: spots as usize,
                times,
                metres,
                tours,
                stops: Vec::new(),
                budget: trip.budget.map_or(i64::MAX, |money| money.0),
                categories: categories.len(),
                category_cap: trip.per_category.unwrap_or(usize::MAX),
            },
            categories,
            meanings: Vec::new(),
            impossible: BTreeSet::new(),
            events: Vec::new(),
            meals: Vec::new(),
            refused: Vec::new(),
            excluded: BTreeMap::new(),
        };
        compiled.add_events();
        compiled.add_meals();
        compiled
    }

    /// Adds the places, once it is known which days are possible.
    pub(super) fn add_places(&mut self) {
        let trip = self.trip;
        for place in &trip.places {
            match excluded(trip, place) {
                Some(reason) => {
                    self.excluded.insert(&place.id, reason);
                }
                None => self.add_place(place),
            }
        }
    }

    fn add(&mut self, meaning: Meaning<'a>, stop: Stop) -> StopId {
        self.meanings.push(meaning);
        self.problem.stops.push(stop);
        self.problem.stops.len() - 1
    }

    fn windows_on(&self, day: usize, window: Window) -> Vec<Vec<Window>> {
        let mut windows = vec![Vec::new(); self.trip.days.len()];
        windows[day].push(window);
        windows
    }

    fn add_events(&mut self) {
        let mut events: Vec<&FixedEvent> = self.trip.events.iter().collect();
        events.sort_by_key(|event| (event.day, event.start, event.end, &event.id));
        for event in events {
            let window = Window { opens: event.start.0, closes: event.start.0 };
            let visit = event.kept == Some(Kept::Visit);
            let place = event.place.as_ref().filter(|_| visit);
            let place = place.and_then(|id| self.trip.places.iter().find(|place| place.id == *id));
            let stop = Stop {
                role: Role::Fixed,
                location: event.spot.0 as usize,
                service: event.end.0 - event.start.0,
                pad: event.kept.map_or(0, |_| self.trip.pace.slack()),
                score: 0,
                cost: event.cost.0,
                category: place.and_then(|place| self.category(place)),
                counted: visit,
                windows: self.windows_on(event.day, window),
                serves: Vec::new(),
            };
            let stop = self.add(Meaning::Event(event), stop);
            self.events.push(stop);
        }
    }

    fn add_meals(&mut self) {
        for (number, day) in self.trip.days.iter().enumerate() {
            let mut meals: Vec<&MealPlan> = day.meals.iter().collect();
            meals.sort_by_key(|meal| (meal.opens, meal.closes, meal.kind));
            for meal in meals {
                let window = Window { opens: meal.opens.0, closes: meal.closes.0 };
                let stop = Stop {
                    role: Role::Floating,
                    location: 0,
                    service: meal.minutes,
                    pad: 0,
                    score: 0,
                    cost: meal.cost.0,
                    category: None,
                    counted: false,
                    windows: self.windows_on(number, window),
                    serves: Vec::new(),
                };
                let stop = self.add(Meaning::Meal { day: number, meal }, stop);
                self.meals.push(stop);
            }
        }
    }

    fn category(&self, place: &Place) -> Option<usize> {
        self.categories.binary_search(&&place.category).ok()
    }

    fn add_place(&mut self, place: &'a Place) {
        let trip = self.trip;
        let eats = !place.serves.is_empty();
        // What an event that is kept visits already is visited no second time.
        let given: BTreeSet<StopId> =
            self.problem.tours.iter().flat_map(|tour| tour.given.iter().copied()).collect();
        let kept = |stop: &StopId| match self.meanings[*stop] {
            Meaning::Event(event) => event.place.as_ref() == Some(&place.id),
            _ => false,
        };
        if given.iter().any(kept) {
            return;
        }
        let fits = |day: &Day| place.area.is_none() || day.area.is_none() || place.area == day.area;
        let mut windows = vec![Vec::new(); trip.days.len()];
        let mut serves = Vec::new();
        for (number, day) in trip.days.iter().enumerate() {
            if self.impossible.contains(&number) || !fits(day) {
                continue;
            }
            let open = place.hours.on(number, day);
            if !eats {
                windows[number] = starts(&open, place.minutes, (day.start.0, day.end.0));
                continue;
            }
            for &stop in &self.meals {
                if let Meaning::Meal { day: its, meal } = self.meanings[stop]
                    && its == number
                    && place.serves.contains(&meal.kind)
                {
                    let within = (meal.opens.0, meal.closes.0.saturating_add(meal.minutes));
                    let starts = starts(&open, meal.minutes, within);
                    if !starts.is_empty() {
                        serves.push((stop, starts));
                    }
                }
            }
        }
        let must = if trip.must_do.contains(&place.id) { MUST_DO } else { 0 };
        let stop = Stop {
            role: if eats { Role::Server } else { Role::Candidate },
            location: place.spot.0 as usize,
            service: place.minutes,
            pad: trip.pace.slack(),
            score: i64::from(place.score.0).max(1) + must,
            cost: place.cost.0,
            category: if eats { None } else { self.category(place) },
            counted: !eats,
            windows,
            serves,
        };
        self.add(Meaning::Place(place), stop);
    }
}

fn tour(trip: &Trip, day: &Day) -> Tour {
    Tour {
        start: day.base.start.0 as usize,
        end: day.base.end.0 as usize,
        opens: day.start.0,
        closes: day.end.0,
        max_stops: trip.pace.visits(),
        max_metres: trip.max_walk.map_or(i64::MAX / 4, |metres| i64::from(metres.0)),
        budget: day.budget.map_or(i64::MAX, |money| money.0),
        given: Vec::new(),
    }
}

/// When something of `minutes` may begin, to lie in `open` and `within`.
fn starts(open: &[Span], minutes: i32, within: (i32, i32)) -> Vec<Window> {
    let mut windows = Vec::new();
    for span in open {
        let opens = span.opens.0.max(within.0);
        let closes = span.closes.0.min(within.1) - minutes;
        if opens <= closes {
            windows.push(Window { opens, closes });
        }
    }
    windows
}

fn excluded(trip: &Trip, place: &Place) -> Option<Reason> {
    if trip.avoid.contains(&place.id) {
        return Some(Reason::Avoided);
    }
    let other_area =
        |day: &Day| day.area.is_some() && place.area.is_some() && day.area != place.area;
    if !trip.days.is_empty() && trip.days.iter().all(other_area) {
        return Some(Reason::OtherArea);
    }
    let diet = !place.serves.is_empty() && !trip.diet.is_subset(&place.tags);
    if diet || !trip.needs.is_subset(&place.tags) {
        return Some(Reason::LacksNeed);
    }
    None
}
