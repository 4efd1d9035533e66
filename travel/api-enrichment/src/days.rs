//! The days of a trip: where each is spent, and what clocks show.

use jiff::{ToSpan as _, civil::Date, tz::TimeZone};
use mercurious_contracts::{
    facts::{ClockChange, DayFacts},
    request::TripRequest,
};

/// Which destination each day is spent at: each for its nights, the last for what remains. One more destination than
/// days is never reached.
pub fn spread(request: &TripRequest) -> Vec<usize> {
    let stops = request.stops();
    let count = request.days() as usize;
    let mut spread = Vec::with_capacity(count);
    for (number, stop) in stops.iter().enumerate() {
        let last = number + 1 == stops.len();
        let nights = stop.nights.map_or(1, |nights| nights as usize);
        let days = if last { count } else { nights };
        let left = count - spread.len();
        spread.extend(std::iter::repeat_n(number, days.min(left)));
    }
    spread
}

/// The day `date` in `zone`; none where there is no such day there.
pub fn day(date: Date, destination: usize, zone: &TimeZone) -> Option<DayFacts> {
    let start = date.to_zoned(zone.clone()).ok()?.start_of_day().ok()?;
    if start.date() != date {
        return None;
    }
    let offset = |at: jiff::Timestamp| zone.to_offset(at).seconds() / 60;
    let next = date.tomorrow().ok()?.to_zoned(zone.clone()).ok()?.start_of_day().ok()?.timestamp();
    let first = start.timestamp();
    // Clocks may be set forward at midnight itself: the day begins with the change.
    let shown = i32::from(start.time().hour()) * 60 + i32::from(start.time().minute());
    let (before, at, by) = if shown > 0 {
        (offset(first) - shown, Some(0), shown)
    } else {
        let change = zone.following(first).next().map(|change| change.timestamp());
        let change = change.filter(|at| *at < next && offset(*at) != offset(first));
        let at = change.map(|at| ((at.as_second() - first.as_second()) / 60) as i32);
        (offset(first), at, change.map_or(0, |at| offset(at) - offset(first)))
    };
    Some(DayFacts {
        date,
        destination,
        offset_minutes: before,
        clock_change: at.map(|at| ClockChange { at, by }),
        holidays: Vec::new(),
        weather: None,
    })
}

/// The dates of the trip, the first and the last included.
pub fn dates(request: &TripRequest) -> Vec<Date> {
    (0..i64::from(request.days()))
        .map(|number| request.start_date.saturating_add(number.days()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(date: &str, zone: &str) -> Option<DayFacts> {
        day(date.parse().unwrap(), 0, &TimeZone::get(zone).unwrap())
    }

    fn clock(date: &str, zone: &str) -> (i32, Option<(i32, i32)>) {
        let facts = facts(date, zone).unwrap();
        (facts.offset_minutes, facts.clock_change.map(|change| (change.at, change.by)))
    }

    #[test]
    fn a_day_knows_when_its_clocks_change() {
        assert_eq!(clock("2026-03-28", "Europe/Lisbon"), (0, None));
        assert_eq!(clock("2026-03-29", "Europe/Lisbon"), (0, Some((60, 60))));
        assert_eq!(clock("2026-10-25", "Europe/Lisbon"), (60, Some((120, -60))));
        assert_eq!(clock("2026-07-01", "Asia/Kathmandu"), (345, None));
        // Half an hour, on Lord Howe Island.
        assert_eq!(clock("2026-04-05", "Australia/Lord_Howe"), (660, Some((120, -30))));
    }

    #[test]
    fn clocks_that_go_forward_at_midnight_begin_the_day_with_the_change() {
        // There is no midnight on that day in Cairo.
        assert_eq!(clock("2026-04-24", "Africa/Cairo"), (120, Some((0, 60))));
    }

    #[test]
    fn a_day_that_the_date_line_took_away_does_not_exist() {
        assert_eq!(facts("2011-12-30", "Pacific/Apia"), None);
        assert!(facts("2011-12-31", "Pacific/Apia").is_some());
    }
}
