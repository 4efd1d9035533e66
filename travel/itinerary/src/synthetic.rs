//! Made-up trips, for measuring and for tests: a seed makes a city and a wish list.
//!
//! Nothing here is a fact; every place says that its hours, length and cost are estimates, or where it does
//! not, that it is made up (`source`).

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use jiff::{ToSpan as _, civil::Date};

use crate::trip::{
    Area, Base, Category, ClockChange, Currency, Day, DayClock, EventId, FixedEvent, Hours,
    Language, Leg, MealKind, MealPlan, Metres, Minute, Mode, Money, Pace, Place, PlaceId, Score,
    Span, Spot, Tag, TextError, TravelTable, Trip,
};

const CATEGORIES: [(&str, i32); 8] = [
    ("museum", 90),
    ("gallery", 60),
    ("monument", 30),
    ("park", 60),
    ("church", 30),
    ("market", 45),
    ("viewpoint", 20),
    ("zoo", 150),
];

/// How large a trip shall be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Days.
    pub days: usize,
    /// Places, restaurants included.
    pub places: usize,
}

/// A city and a wish list of the given size.
pub fn trip(seed: u64, size: Size) -> Result<Trip, TextError> {
    City { rng: Rng::with_seed(seed), points: Vec::new() }.trip(size)
}

/// A trip of random size: one to seven days, none to sixty places.
pub fn any_trip(seed: u64) -> Result<Trip, TextError> {
    let mut rng = Rng::with_seed(seed ^ 0x9e37_79b9_7f4a_7c15);
    let size = Size { days: rng.usize(1..=7), places: rng.usize(0..=60) };
    trip(seed, size)
}

/// A city under construction: where its spots are, in metres.
struct City {
    rng: Rng,
    points: Vec<(i32, i32)>,
}

impl City {
    fn spot(&mut self, districts: &[(i32, i32)]) -> Spot {
        let (x, y) = districts[self.rng.usize(..districts.len())];
        // Now and then two places share one house.
        let point = if self.rng.u32(..20) == 0 && !self.points.is_empty() {
            self.points[self.rng.usize(..self.points.len())]
        } else {
            (x + self.rng.i32(-900..=900), y + self.rng.i32(-900..=900))
        };
        self.points.push(point);
        Spot(self.points.len() as u32 - 1)
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.u32(..100) < percent
    }

    fn trip(mut self, size: Size) -> Result<Trip, TextError> {
        let districts: Vec<(i32, i32)> =
            (0..5).map(|_| (self.rng.i32(-5000..=5000), self.rng.i32(-5000..=5000))).collect();
        let two_areas = self.chance(15);
        let days = self.days(size.days, &districts, two_areas);
        let mut places = Vec::with_capacity(size.places);
        for number in 0..size.places {
            places.push(self.place(number, &districts, size.days, two_areas)?);
        }
        let events = self.events(&days, &places, &districts)?;
        let fixed: BTreeSet<PlaceId> =
            events.iter().filter_map(|event| event.place.clone()).collect();
        let mut wish = |most: usize, except: &BTreeSet<PlaceId>| -> BTreeSet<PlaceId> {
            let count = if places.is_empty() { 0 } else { self.rng.usize(0..=most) };
            let picks = (0..count).map(|_| places[self.rng.usize(..places.len())].id.clone());
            picks.filter(|id| !except.contains(id)).collect()
        };
        let must_do = wish(4, &BTreeSet::new());
        let avoid = wish(3, &fixed);
        let pace = [Pace::Relaxed, Pace::Moderate, Pace::Packed][self.rng.usize(..3)];
        let car = self.chance(20);
        let modes = if car { [Mode::Walk, Mode::Car] } else { [Mode::Walk, Mode::Transit] };
        let walkers = self.chance(40);
        let poor = self.chance(40);
        let picky = self.chance(10);
        let needs = if picky { BTreeSet::from([Tag::new("wheelchair")?]) } else { BTreeSet::new() };
        let diet =
            if self.chance(15) { BTreeSet::from([Tag::new("vegan")?]) } else { BTreeSet::new() };
        Ok(Trip {
            travel: self.travel(if car { Mode::Car } else { Mode::Transit }),
            max_walk: walkers.then(|| Metres(self.rng.u32(1_000..12_000))),
            budget: poor.then(|| Money(self.rng.i64(0..40_000))),
            per_category: self.chance(50).then(|| self.rng.usize(1..=3)),
            days,
            places,
            events,
            must_do,
            avoid,
            pace,
            currency: Currency::new("EUR")?,
            needs,
            diet,
            modes: BTreeSet::from(modes),
            language: Language::new("en")?,
        })
    }

    fn days(&mut self, count: usize, districts: &[(i32, i32)], areas: bool) -> Vec<Day> {
        let first = Date::constant(2026, 1, 5);
        let ahead = self.rng.i64(0..360);
        let mut base = self.spot(districts);
        let mut days = Vec::with_capacity(count);
        for number in 0..count {
            let next = if self.chance(20) { self.spot(districts) } else { base };
            let mut start = self.rng.i32(8 * 60..=10 * 60);
            let mut end = self.rng.i32(18 * 60..=25 * 60);
            if number == 0 && self.chance(40) {
                start = self.rng.i32(600..=1200);
            }
            if number + 1 == count && self.chance(40) {
                end = self.rng.i32(start..=start.max(900));
            }
            let change = match self.rng.u32(..30) {
                0 => Some(ClockChange { at: Minute(120), by: 60 }),
                1 => Some(ClockChange { at: Minute(180), by: -60 }),
                _ => None,
            };
            let budget = self.chance(15).then(|| Money(self.rng.i64(0..12_000)));
            let meals = self.meals();
            days.push(Day {
                date: first.saturating_add((ahead + number as i64).days()),
                clock: DayClock { offset: 60, change },
                start: Minute(start),
                end: Minute(end.max(start)),
                base: Base { start: base, end: next },
                area: areas.then_some(Area(u32::from(number * 2 >= count))),
                meals,
                budget,
            });
            base = next;
        }
        days
    }

    fn meals(&mut self) -> Vec<MealPlan> {
        let mut meals = Vec::new();
        let kinds = [
            (MealKind::Breakfast, 20, 7 * 60, 30),
            (MealKind::Lunch, 70, 12 * 60, 60),
            (MealKind::Dinner, 50, 18 * 60, 75),
        ];
        for (kind, percent, opens, minutes) in kinds {
            if self.chance(percent) {
                meals.push(MealPlan {
                    kind,
                    opens: Minute(opens),
                    closes: Minute(opens + self.rng.i32(30..=150)),
                    minutes,
                    cost: Money(self.rng.i64(0..3_000)),
                });
            }
        }
        meals
    }

    fn place(
        &mut self,
        number: usize,
        districts: &[(i32, i32)],
        days: usize,
        areas: bool,
    ) -> Result<Place, TextError> {
        let eats = self.chance(20);
        let (category, minutes) = CATEGORIES[self.rng.usize(..CATEGORIES.len())];
        let mut tags = BTreeSet::new();
        for (tag, percent) in [("wheelchair", 60), ("vegan", 50)] {
            if self.chance(percent) {
                tags.insert(Tag::new(tag)?);
            }
        }
        let mut serves = BTreeSet::new();
        if eats {
            serves.insert(
                [MealKind::Breakfast, MealKind::Lunch, MealKind::Dinner][self.rng.usize(..3)],
            );
            serves.insert(MealKind::Lunch);
        }
        let area = (areas && self.chance(90)).then(|| Area(self.rng.u32(..2)));
        Ok(Place {
            id: PlaceId::new(format!("place-{number}"))?,
            name: format!("Place {number}"),
            spot: self.spot(districts),
            category: Category::new(if eats { "restaurant" } else { category })?,
            minutes: minutes + self.rng.i32(0..=4) * 15,
            score: Score(self.rng.u32(0..=100)),
            cost: Money(if self.chance(40) { 0 } else { self.rng.i64(100..4_000) }),
            hours: self.hours(days, eats),
            area,
            tags,
            serves,
            source: "made up".to_owned(),
            licence: "CC0-1.0".to_owned(),
            estimated: self.chance(50),
        })
    }

    fn hours(&mut self, days: usize, eats: bool) -> Hours {
        if self.chance(10) {
            return Hours::Always;
        }
        let opens = self.rng.i32(8 * 60..=11 * 60);
        let closes = self.rng.i32(16 * 60..=20 * 60);
        let spans = if eats {
            vec![Span::new(opens, 900), Span::new(1050, self.rng.i32(1200..1600))]
        } else if self.chance(30) {
            vec![Span::new(opens, 12 * 60), Span::new(14 * 60, closes)]
        } else {
            vec![Span::new(opens, closes)]
        };
        if self.chance(20) {
            let open = |rng: &mut Rng| if rng.u32(..5) == 0 { Vec::new() } else { spans.clone() };
            return Hours::Days((0..days).map(|_| open(&mut self.rng)).collect());
        }
        let closed = self.rng.usize(..10);
        let week =
            std::array::from_fn(|day| if day == closed { Vec::new() } else { spans.clone() });
        Hours::Weekly { days: week, exceptions: BTreeMap::new() }
    }

    fn events(
        &mut self,
        days: &[Day],
        places: &[Place],
        districts: &[(i32, i32)],
    ) -> Result<Vec<FixedEvent>, TextError> {
        let mut events: Vec<FixedEvent> = Vec::new();
        let count = if self.chance(40) { self.rng.usize(1..=3) } else { 0 };
        for number in 0..count {
            let start = self.rng.i32(540..=1200);
            let free = |place: &&Place| {
                !events.iter().any(|event| event.place.as_ref() == Some(&place.id))
            };
            let place = places.iter().rev().find(free).filter(|_| number == 1).cloned();
            let spot = match &place {
                Some(place) => place.spot,
                None => self.spot(districts),
            };
            events.push(FixedEvent {
                id: EventId::new(format!("event-{number}"))?,
                title: format!("Event {number}"),
                day: self.rng.usize(..days.len()),
                start: Minute(start),
                end: Minute(start + self.rng.i32(0..=180)),
                spot,
                place: place.map(|place| place.id),
                cost: Money(self.rng.i64(0..5_000)),
                kept: None,
            });
        }
        Ok(events)
    }

    fn travel(&mut self, fast: Mode) -> TravelTable {
        let points = std::mem::take(&mut self.points);
        let rng = &mut self.rng;
        TravelTable::build(points.len() as u32, |from, to| {
            let ((a, b), (x, y)) = (points[from.0 as usize], points[to.0 as usize]);
            // Streets: along both axes.
            let metres = (a - x).unsigned_abs() + (b - y).unsigned_abs();
            if rng.u32(..500) == 0 {
                return None;
            }
            // One walks 75 m in a minute; beyond 1.5 km something faster takes 200 m, and some waiting.
            Some(if metres <= 1_500 {
                Leg {
                    minutes: metres.div_ceil(75) as i32,
                    metres: Metres(metres),
                    mode: Mode::Walk,
                }
            } else {
                let waiting = rng.i32(3..=8);
                let minutes = metres.div_ceil(200) as i32 + waiting;
                let walked = if fast == Mode::Car { 100 } else { 400 };
                Leg { minutes, metres: Metres(walked), mode: fast }
            })
        })
    }
}
