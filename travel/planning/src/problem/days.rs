//! The days: when each begins and ends, where, and its meals.

use jiff::civil::Time;
use mercurious_contracts::{
    MealKind, Point,
    facts::{DayFacts, Facts, TravelModel},
    request::{FixedWish, TripRequest},
};
use mercurious_itinerary::trip::{
    self, Base, ClockChange, Day, DayClock, FixedEvent, MealPlan, Minute, Money,
};

use super::{Party, Spots, area, money};
use crate::ways;

/// When a meal may begin, as a clock shows it, and how long it lasts.
fn window(meal: MealKind) -> (i32, i32, i32) {
    match meal {
        MealKind::Breakfast => (7 * 60 + 30, 9 * 60 + 30, 30),
        MealKind::Lunch => (12 * 60, 14 * 60, 60),
        MealKind::Dinner => (18 * 60 + 30, 20 * 60 + 30, 75),
    }
}

/// The planner's word for a meal.
pub(crate) fn meal(meal: MealKind) -> trip::MealKind {
    match meal {
        MealKind::Breakfast => trip::MealKind::Breakfast,
        MealKind::Lunch => trip::MealKind::Lunch,
        MealKind::Dinner => trip::MealKind::Dinner,
    }
}

fn minutes(time: Time) -> i32 {
    i32::from(time.hour()) * 60 + i32::from(time.minute())
}

/// When the day with the number `number` begins and ends, as a clock shows it.
fn shown(request: &TripRequest, number: usize, count: usize) -> (i32, i32) {
    let (mut start, mut end) = (minutes(request.day_start), minutes(request.day_end));
    if end <= start {
        end += 1440;
    }
    if number == 0
        && let Some(arrival) = request.arrival_time
    {
        start = minutes(arrival);
    }
    if number + 1 == count
        && let Some(departure) = request.departure_time
    {
        end = minutes(departure);
        // One who leaves before the day begins gets up earlier, unless one only then arrives.
        if number > 0 || request.arrival_time.is_none() {
            start = start.min(end);
        }
    }
    (start, end.max(start))
}

fn clock(day: &DayFacts) -> DayClock {
    let change =
        day.clock_change.map(|change| ClockChange { at: Minute(change.at), by: change.by });
    DayClock { offset: day.offset_minutes, change }
}

pub(super) fn days(
    request: &TripRequest,
    facts: &Facts,
    party: Party,
    spots: &mut Spots,
) -> Vec<Day> {
    let count = facts.days.len();
    (facts.days.iter().enumerate())
        .map(|(number, day)| {
            let clock = clock(day);
            let (start, end) = shown(request, number, count);
            let (start, end) = (clock.elapsed(start, false), clock.elapsed(end, true));
            let centre = facts
                .destinations
                .get(day.destination)
                .map_or(Point { lat: 0.0, lon: 0.0 }, |destination| destination.point);
            let wish = (request.bases.iter())
                .find(|base| base.date == Some(day.date))
                .or_else(|| request.bases.iter().find(|base| base.date.is_none()));
            let (from, to) =
                wish.map_or((centre, centre), |base| (base.start, base.end.unwrap_or(base.start)));
            let meals = (request.meals.iter())
                .filter_map(|&kind| {
                    let (opens, closes, minutes) = window(kind);
                    let opens = clock.elapsed(opens, false);
                    let closes = clock.elapsed(closes, true);
                    // A meal for which the day has no time is not asked for.
                    let fits = opens.max(start) <= closes.min(end - minutes);
                    let cost = money::usual_meal(facts, party, kind);
                    fits.then_some(MealPlan {
                        kind: meal(kind),
                        opens: Minute(opens),
                        closes: Minute(closes),
                        minutes,
                        cost: Money(cost),
                    })
                })
                .collect();
            Day {
                date: day.date,
                clock,
                start: Minute(start),
                end: Minute(end.max(start)),
                base: Base { start: spots.at(from), end: spots.at(to) },
                area: area(facts, day.destination),
                meals,
                budget: None,
            }
        })
        .collect()
}

/// On which day an event is, and from which minute to which; none when it is on no day of the trip.
pub(super) fn placed(
    wish: &FixedWish,
    request: &TripRequest,
    facts: &Facts,
) -> Option<(usize, i32, i32)> {
    let date = wish.start.date();
    let mut number = facts.days.iter().position(|day| day.date == date)?;
    let mut start = minutes(wish.start.time());
    let (since, _) = shown(request, number, facts.days.len());
    // What begins in the small hours belongs to the evening before, where that goes on so long.
    if start < since && number > 0 {
        let (_, until) = shown(request, number - 1, facts.days.len());
        if until > 1440 + start {
            number -= 1;
            start += 1440;
        }
    }
    let length = (wish.end.duration_since(wish.start).as_secs() / 60).clamp(0, 1440) as i32;
    let clock = clock(&facts.days[number]);
    Some((number, clock.elapsed(start, false), clock.elapsed(start + length, true)))
}

/// A day lasts at least as long as what is agreed on it, with the way there and back; on the days of arrival and
/// departure not beyond those, and never into the day after it. What that is too short for will not be kept.
pub(super) fn widen(
    days: &mut [Day],
    events: &[FixedEvent],
    request: &TripRequest,
    points: &[Point],
    model: &TravelModel,
) {
    let last = days.len().saturating_sub(1);
    let way = |from: trip::Spot, to: trip::Spot| {
        let (from, to) = (points[from.0 as usize], points[to.0 as usize]);
        ways::leg(from, to, model).map_or(0, |leg| leg.minutes)
    };
    for event in events {
        let Some(day) = days.get_mut(event.day) else { continue };
        if !(event.day == 0 && request.arrival_time.is_some()) {
            let start = event.start.0 - way(day.base.start, event.spot);
            day.start = Minute(day.start.0.min(start.max(0)));
        }
    }
    for event in events {
        let Some(day) = days.get(event.day) else { continue };
        if !(event.day == last && request.departure_time.is_some()) {
            let next = days.get(event.day + 1).unwrap_or(day).start.0;
            let latest = (day.clock.length() + next).min(trip::limits::MINUTE);
            let end = event.end.0 + way(event.spot, day.base.end);
            if end <= latest {
                days[event.day].end = Minute(day.end.0.max(end));
            }
        }
    }
}

/// Says that the way from one destination to the next is left to the traveller.
pub(super) fn tell_of_transfers(facts: &Facts, notes: &mut Vec<(String, String)>) {
    for pair in facts.days.windows(2) {
        let [before, after] = pair else { continue };
        let name = |day: &DayFacts| {
            facts.destinations.get(day.destination).map_or("", |destination| &destination.name)
        };
        if before.destination != after.destination {
            let (from, to, date) = (name(before), name(after), after.date);
            let message = format!("the way from {from} to {to} before {date} is not planned");
            notes.push(("transfer_not_planned".to_owned(), message));
        }
    }
}
