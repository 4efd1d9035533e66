//! A day of the trip.

use jiff::{
    ToSpan as _,
    civil::{Date, Time},
};
use serde::{Deserialize, Serialize};

use super::{Area, MealKind, Minute, Money, Spot};

/// Where a day starts and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// Where one wakes up, or arrives.
    pub start: Spot,
    /// Where one sleeps, or leaves from.
    pub end: Spot,
}

/// The clocks are changed once in the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockChange {
    /// Minutes since midnight that have passed when it happens.
    pub at: Minute,
    /// By how many minutes they go forward; negative is back.
    pub by: i32,
}

/// What clocks show on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayClock {
    /// Minutes east of UTC at midnight.
    pub offset: i32,
    /// The change in the day, if there is one.
    #[serde(default)]
    pub change: Option<ClockChange>,
}

impl DayClock {
    /// The minutes in the day: 1440, on the day of a change usually 1380 or 1500.
    pub fn length(&self) -> i32 {
        1440 - self.change.map_or(0, |change| change.by)
    }

    /// Minutes east of UTC at `minute`.
    pub fn offset_at(&self, minute: Minute) -> i32 {
        match self.change {
            Some(change) if minute >= change.at => self.offset + change.by,
            _ => self.offset,
        }
    }

    /// Minutes since midnight when a clock shows `shown` minutes past it. What is skipped becomes the
    /// moment of the change; what comes twice is the first, or the second when `late`.
    pub fn elapsed(&self, shown: i32, late: bool) -> i32 {
        let Some(ClockChange { at: Minute(at), by }) = self.change else { return shown };
        let twice = by < 0 && (at + by..at).contains(&shown);
        if shown < at && !(twice && late) {
            return shown;
        }
        (shown - by).max(at)
    }
}

/// A meal that belongs to a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MealPlan {
    /// Which one.
    pub kind: MealKind,
    /// When it may begin at the earliest.
    pub opens: Minute,
    /// When it may begin at the latest.
    pub closes: Minute,
    /// How long it lasts.
    pub minutes: i32,
    /// What it costs where no place is chosen.
    #[serde(default)]
    pub cost: Money,
}

/// One day of the trip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    /// Its date, where it is spent.
    pub date: Date,
    /// What clocks show.
    pub clock: DayClock,
    /// When it starts, or one arrives.
    pub start: Minute,
    /// When it must have ended, or one leaves; past midnight it is larger than the day is long.
    pub end: Minute,
    /// Where it starts and ends.
    pub base: Base,
    /// Where it is spent; places elsewhere are not visited.
    #[serde(default)]
    pub area: Option<Area>,
    /// Its meals.
    #[serde(default)]
    pub meals: Vec<MealPlan>,
    /// What it may cost.
    #[serde(default)]
    pub budget: Option<Money>,
}

impl Day {
    /// `minute` as RFC 3339 writes it, with the offset that holds then.
    pub fn moment(&self, minute: Minute) -> String {
        let offset = self.clock.offset_at(minute);
        let shown = i64::from(minute.0 + offset - self.clock.offset);
        let midnight = self.date.to_datetime(Time::midnight());
        // Limits keep dates far from the end of the calendar.
        let local = midnight.checked_add(shown.minutes()).unwrap_or(midnight);
        let sign = if offset < 0 { '-' } else { '+' };
        let (hours, minutes) = (offset.abs() / 60, offset.abs() % 60);
        format!("{}{sign}{hours:02}:{minutes:02}", local.strftime("%Y-%m-%dT%H:%M:%S"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(date: &str, offset: i32, change: Option<(i32, i32)>) -> Day {
        let change = change.map(|(at, by)| ClockChange { at: Minute(at), by });
        Day {
            date: date.parse().unwrap(),
            clock: DayClock { offset, change },
            start: Minute(0),
            end: Minute(0),
            base: Base { start: Spot(0), end: Spot(0) },
            area: None,
            meals: Vec::new(),
            budget: None,
        }
    }

    #[test]
    fn a_moment_carries_the_offset_that_holds_then() {
        let spring = day("2026-03-29", 60, Some((120, 60)));
        assert_eq!(spring.moment(Minute(119)), "2026-03-29T01:59:00+01:00");
        assert_eq!(spring.moment(Minute(120)), "2026-03-29T03:00:00+02:00");
        let autumn = day("2026-10-25", 120, Some((180, -60)));
        assert_eq!(autumn.moment(Minute(179)), "2026-10-25T02:59:00+02:00");
        assert_eq!(autumn.moment(Minute(180)), "2026-10-25T02:00:00+01:00");
        let night = day("2026-12-31", -210, None);
        assert_eq!(night.moment(Minute(1500)), "2027-01-01T01:00:00-03:30");
    }

    #[test]
    fn what_a_clock_skips_becomes_the_moment_of_the_change() {
        let clock = day("2026-03-29", 60, Some((120, 60))).clock;
        assert_eq!(clock.elapsed(119, false), 119);
        assert_eq!(clock.elapsed(150, false), 120);
        assert_eq!(clock.elapsed(180, false), 120);
        assert_eq!(clock.elapsed(240, false), 180);
    }
}
