//! Rules about the way through a day.

use super::rule::{At, Facts, Report, Rule, Violation};
use crate::{
    itinerary::{Activity, DayPlan, Item, Itinerary, Slot},
    trip::{Day, Metres, Mode, Spot},
};

/// Where one is, and since when.
struct Walker {
    /// Where the slots have brought one.
    here: Spot,
    /// The last spot at which something happened, and when that ended.
    origin: Spot,
    left: i64,
    /// Minutes since then in which one ate on the spot.
    busy: i64,
    /// Whether a way since then was too short in time, which is then said already.
    hurried: bool,
    metres: u64,
}

pub(super) fn check(
    facts: &Facts<'_>,
    number: usize,
    day: &Day,
    (plan, itinerary): (&DayPlan, &Itinerary),
    violations: &mut Vec<Violation>,
) {
    let mut walker = Walker {
        here: day.base.start,
        origin: day.base.start,
        left: i64::from(day.start.0),
        busy: 0,
        hurried: false,
        metres: 0,
    };
    for (index, slot) in plan.slots.iter().enumerate() {
        let at = At { day: Some(number), slot: Some(index) };
        let mut report = Report { at, violations };
        if let Activity::Travel { from, to, mode, metres } = slot.activity {
            walker.travel(facts, slot, (from, to), (mode, metres), &mut report);
        } else if let Some(spot) = facts.spot(slot) {
            walker.arrive(facts, slot, spot, &mut report);
        } else if slot.activity != Activity::Free {
            walker.busy += i64::from(slot.end.0) - i64::from(slot.start.0);
        }
    }
    let mut report = Report { at: At { day: Some(number), slot: None }, violations };
    let told = |item: &Item| matches!(item, Item::Transfer { day } if *day == number);
    let excused =
        plan.slots.is_empty() && itinerary.unplaced.iter().any(|unplaced| told(&unplaced.item));
    if !excused && !same(facts, walker.here, day.base.end) {
        let message = format!("it ends at spot {}, not at {}", walker.here, day.base.end);
        report.add(Rule::BrokenRoute, message);
    }
    if let Some(most) = facts.trip.max_walk.filter(|most| walker.metres > u64::from(most.0)) {
        let message = format!("{} m on foot are more than {most}", walker.metres);
        report.add(Rule::TooMuchWalking, message);
    }
}

/// Whether one need not move to get from one to the other.
fn same(facts: &Facts<'_>, from: Spot, to: Spot) -> bool {
    let leg = facts.trip.travel.leg(from, to);
    from == to || leg.is_some_and(|leg| leg.minutes == 0 && leg.metres == Metres(0))
}

impl Walker {
    fn travel(
        &mut self,
        facts: &Facts<'_>,
        slot: &Slot,
        (from, to): (Spot, Spot),
        (mode, metres): (Mode, Metres),
        report: &mut Report<'_>,
    ) {
        if !same(facts, self.here, from) {
            let message = format!("it leaves from spot {from}, but one is at {}", self.here);
            report.add(Rule::BrokenRoute, message);
        }
        self.here = to;
        let Some(leg) = facts.trip.travel.leg(from, to) else {
            report.add(Rule::WrongTravel, format!("no way leads from spot {from} to {to}"));
            return;
        };
        self.metres += u64::from(leg.metres.0);
        if leg.mode != mode || leg.metres != metres {
            let message = format!("the way is {:?} with {} m on foot", leg.mode, leg.metres);
            report.add(Rule::WrongTravel, message);
        }
        let minutes = i64::from(slot.end.0) - i64::from(slot.start.0);
        if minutes < i64::from(leg.minutes) {
            self.hurried = true;
            let message = format!("the way takes {} minutes, not {minutes}", leg.minutes);
            report.add(Rule::TooLittleTravelTime, message);
        }
    }

    /// Something happens at `spot`.
    fn arrive(&mut self, facts: &Facts<'_>, slot: &Slot, spot: Spot, report: &mut Report<'_>) {
        if !same(facts, self.here, spot) {
            let message = format!("it is at spot {spot}, but one is at {}", self.here);
            report.add(Rule::BrokenRoute, message);
        }
        let free = i64::from(slot.start.0) - self.left - self.busy;
        let needed = facts.trip.travel.leg(self.origin, spot).map(|leg| i64::from(leg.minutes));
        let slack = match &slot.activity {
            Activity::Fixed { event, .. }
                if facts.events.get(event).is_none_or(|event| event.kept.is_none()) =>
            {
                0
            }
            _ => i64::from(facts.trip.pace.slack()),
        };
        // No way at all is said where the way is, or where it should be.
        if let Some(needed) = needed.filter(|_| !self.hurried) {
            if free < needed {
                let message = format!("the way takes {needed} minutes, and there are {free}");
                report.add(Rule::TooLittleTravelTime, message);
            } else if free < needed + slack {
                let message =
                    format!("{slack} minutes to spare are asked for, not {}", free - needed);
                report.add(Rule::TooLittleSlack, message);
            }
        }
        self.here = spot;
        self.origin = spot;
        self.left = i64::from(slot.end.0);
        self.busy = 0;
        self.hurried = false;
    }
}
