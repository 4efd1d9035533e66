//! When a place is open.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Day, Minute};

/// From one moment to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// The opening.
    pub opens: Minute,
    /// The closing; past midnight it is larger than 1440.
    pub closes: Minute,
}

impl Span {
    /// From `opens` to `closes`.
    pub fn new(opens: i32, closes: i32) -> Self {
        Self { opens: Minute(opens), closes: Minute(closes) }
    }
}

/// A place's opening hours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hours {
    /// At all times.
    Always,
    /// By weekday, as a clock at the place shows it; a span may run past midnight.
    Weekly {
        /// Monday first.
        days: [Vec<Span>; 7],
        /// Dates on which other hours hold; none at all means closed.
        #[serde(default)]
        exceptions: BTreeMap<Date, Vec<Span>>,
    },
    /// By day of the trip, in minutes since its midnight; what runs past midnight stands there too.
    Days(Vec<Vec<Span>>),
}

const DAY: i32 = 1440;

impl Hours {
    /// When it is open on the day with the number `number`, and in the night after it: in order, apart,
    /// in minutes since that day's midnight.
    pub fn on(&self, number: usize, day: &Day) -> Vec<Span> {
        match self {
            Self::Always => vec![Span::new(0, super::limits::MINUTE)],
            Self::Days(days) => merged(days.get(number).cloned().unwrap_or_default()),
            Self::Weekly { days, exceptions } => {
                let mut spans = Vec::new();
                for (shift, date) in
                    [(-DAY, day.date.yesterday()), (0, Ok(day.date)), (DAY, day.date.tomorrow())]
                {
                    let Ok(date) = date else { continue };
                    let weekday = date.weekday().to_monday_zero_offset() as usize;
                    for span in exceptions.get(&date).unwrap_or(&days[weekday]) {
                        let (opens, closes) = (span.opens.0 + shift, span.closes.0 + shift);
                        let span = Span {
                            opens: Minute(day.clock.elapsed(opens, false)),
                            closes: Minute(day.clock.elapsed(closes, true)),
                        };
                        if span.closes.0 > 0 && opens < super::limits::MINUTE {
                            spans.push(Span { opens: span.opens.max(Minute(0)), ..span });
                        }
                    }
                }
                merged(spans)
            }
        }
    }
}

/// In order, with what touches or overlaps made one.
fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.opens <= last.closes => last.closes = last.closes.max(span.closes),
            _ => merged.push(span),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trip::{Base, ClockChange, DayClock, Spot};

    fn day(date: &str, change: Option<ClockChange>) -> Day {
        Day {
            date: date.parse().unwrap(),
            clock: DayClock { offset: 60, change },
            start: Minute(540),
            end: Minute(1260),
            base: Base { start: Spot(0), end: Spot(0) },
            area: None,
            meals: Vec::new(),
            budget: None,
        }
    }

    fn weekly(hours: [&[(i32, i32)]; 7]) -> Hours {
        Hours::Weekly {
            days: hours
                .map(|day| day.iter().map(|&(opens, closes)| Span::new(opens, closes)).collect()),
            exceptions: BTreeMap::new(),
        }
    }

    #[test]
    fn hours_past_midnight_reach_into_the_next_day_and_come_from_the_day_before() {
        // Friday evening until two o'clock; nothing else.
        let hours = weekly([&[], &[], &[], &[], &[(1080, 1560)], &[], &[]]);
        assert_eq!(hours.on(0, &day("2026-03-06", None)), [Span::new(1080, 1560)]);
        assert_eq!(hours.on(0, &day("2026-03-07", None)), [Span::new(0, 120)]);
        assert_eq!(hours.on(0, &day("2026-03-08", None)), []);
        // Seen from Thursday, Friday's evening is the next day's.
        assert_eq!(hours.on(0, &day("2026-03-05", None)), [Span::new(2520, 3000)]);
    }

    #[test]
    fn a_place_that_never_closes_is_open_in_one_piece() {
        let hours = weekly([&[(0, 1440)]; 7]);
        assert_eq!(hours.on(0, &day("2026-03-06", None)), [Span::new(0, 2880)]);
    }

    #[test]
    fn a_lunch_break_leaves_two_spans_and_an_exception_replaces_them() {
        let mut hours = weekly([&[(540, 720), (840, 1080)]; 7]);
        let wednesday = day("2026-03-04", None);
        assert_eq!(hours.on(0, &wednesday)[..2], [Span::new(540, 720), Span::new(840, 1080)]);
        if let Hours::Weekly { exceptions, .. } = &mut hours {
            exceptions.insert(wednesday.date, Vec::new());
        }
        assert!(hours.on(0, &wednesday).iter().all(|span| span.opens.0 >= 1440));
    }

    #[test]
    fn on_the_day_the_clocks_go_forward_it_opens_an_hour_earlier_after_midnight() {
        let change = ClockChange { at: Minute(120), by: 60 };
        let hours = weekly([&[(540, 1080)]; 7]);
        let spring = day("2026-03-29", Some(change));
        assert_eq!(spring.clock.length(), 1380);
        assert_eq!(hours.on(0, &spring), [Span::new(480, 1020), Span::new(1920, 2460)]);
    }

    #[test]
    fn on_the_day_the_clocks_go_back_it_opens_an_hour_later_after_midnight() {
        let change = ClockChange { at: Minute(180), by: -60 };
        let autumn = day("2026-10-25", Some(change));
        assert_eq!(autumn.clock.length(), 1500);
        assert_eq!(weekly([&[(540, 1080)]; 7]).on(0, &autumn)[0], Span::new(600, 1140));
        // Half past two comes twice: it opens with the first and closes with the second.
        assert_eq!(weekly([&[(130, 150)]; 7]).on(0, &autumn)[0], Span::new(130, 210));
    }
}
