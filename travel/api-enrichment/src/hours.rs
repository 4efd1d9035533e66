//! From opening hours as OpenStreetMap writes them to spans of the trip's days.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{Days, NaiveDate};
use jiff::civil::Date;
use mercurious_contracts::{Span, facts::DayFacts};
use mercurious_itinerary::trip::{ClockChange, DayClock, Minute, limits};
use opening_hours::{Context, ContextHolidays, OpeningHours, RuleKind};

/// Public holidays of one country, as opening hours look them up.
#[derive(Debug, Clone, Default)]
pub struct PublicHolidays(ContextHolidays);

impl PublicHolidays {
    /// These days.
    pub fn new(days: &BTreeMap<Date, Vec<String>>) -> Self {
        let calendar = days.keys().filter_map(|day| date(*day)).collect();
        Self(ContextHolidays::new(Arc::new(calendar), Arc::default()))
    }
}

/// When a place is open on each of the days, in minutes that have passed since the day's midnight; the night after
/// belongs to the day. Hours that cannot be read are an error that says where.
pub fn open(
    hours: &str,
    days: &[DayFacts],
    holidays: &PublicHolidays,
) -> Result<Vec<Vec<Span>>, String> {
    let hours: OpeningHours =
        hours.parse().map_err(|error| format!("{hours:?} is no opening hours: {error}"))?;
    let hours = hours.with_context(Context::default().with_holidays(holidays.0.clone()));
    Ok(days.iter().map(|day| on(&hours, day)).collect())
}

fn on(hours: &OpeningHours, day: &DayFacts) -> Vec<Span> {
    let Some(midnight) = date(day.date).and_then(|date| date.and_hms_opt(0, 0, 0)) else {
        return Vec::new();
    };
    let Some(end) = midnight.checked_add_days(Days::new(2)) else { return Vec::new() };
    let clock = clock(day);
    let mut spans: Vec<Span> = Vec::new();
    for range in hours.iter_range(midnight, end) {
        if range.kind != RuleKind::Open {
            continue;
        }
        let shown = |moment: chrono::NaiveDateTime| (moment - midnight).num_minutes() as i32;
        let opens = clock.elapsed(shown(range.range.start), false).clamp(0, limits::MINUTE);
        let closes = clock.elapsed(shown(range.range.end), true).clamp(0, limits::MINUTE);
        match spans.last_mut() {
            Some(last) if opens <= last.closes => last.closes = last.closes.max(closes),
            _ if opens < closes => spans.push(Span { opens, closes }),
            _ => {}
        }
    }
    spans.truncate(limits::SPANS);
    spans
}

/// The day's clock as the planner has it.
fn clock(day: &DayFacts) -> DayClock {
    let change =
        day.clock_change.map(|change| ClockChange { at: Minute(change.at), by: change.by });
    DayClock { offset: day.offset_minutes, change }
}

fn date(date: Date) -> Option<NaiveDate> {
    let (month, day) = (date.month().unsigned_abs(), date.day().unsigned_abs());
    NaiveDate::from_ymd_opt(i32::from(date.year()), u32::from(month), u32::from(day))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(date: &str) -> DayFacts {
        DayFacts {
            date: date.parse().unwrap(),
            destination: 0,
            offset_minutes: 60,
            clock_change: None,
            holidays: Vec::new(),
            weather: None,
        }
    }

    fn spans(hours: &str, day: DayFacts) -> Vec<(i32, i32)> {
        let holidays = BTreeMap::from([("2026-12-25".parse().unwrap(), Vec::new())]);
        let open = open(hours, &[day], &PublicHolidays::new(&holidays)).unwrap();
        open[0].iter().map(|span| (span.opens, span.closes)).collect()
    }

    #[test]
    fn a_weekday_a_season_and_a_holiday_decide() {
        // A Monday.
        assert_eq!(spans("Tu-Su 10:00-18:00", day("2026-05-04")), [(2040, 2520)]);
        assert_eq!(
            spans("Mo 09:00-12:00,14:00-18:00", day("2026-05-04")),
            [(540, 720), (840, 1080)]
        );
        assert_eq!(
            spans("Mar-Oct Mo 09:00-21:00; Nov-Feb 09:00-18:00", day("2026-05-04")),
            [(540, 1260)]
        );
        let christmas = spans("10:00-18:00; PH off", day("2026-12-25"));
        assert_eq!(christmas, [(2040, 2520)], "only the day after");
    }

    #[test]
    fn a_night_belongs_to_the_day_it_begins_in_and_reaches_into_the_next() {
        assert_eq!(spans("Fr 18:00-26:00", day("2026-03-06")), [(1080, 1560)]);
        assert_eq!(spans("Fr 18:00-26:00", day("2026-03-07")), [(0, 120)]);
        assert_eq!(spans("24/7", day("2026-03-07")), [(0, 2880)]);
    }

    #[test]
    fn on_the_day_the_clocks_go_forward_it_opens_an_hour_earlier_after_midnight() {
        let change = Some(mercurious_contracts::facts::ClockChange { at: 60, by: 60 });
        let spring = DayFacts { clock_change: change, offset_minutes: 0, ..day("2026-03-29") };
        assert_eq!(spans("Su 10:00-18:00", spring), [(540, 1020)]);
    }

    #[test]
    fn hours_that_cannot_be_read_are_named() {
        let error = open("when we like", &[day("2026-03-07")], &PublicHolidays::default());
        assert!(error.unwrap_err().contains("when we like"));
    }
}
