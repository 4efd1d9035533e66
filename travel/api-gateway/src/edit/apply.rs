use std::collections::BTreeSet;

use jiff::{Timestamp, Zoned, civil::Date, fmt::temporal::DateTimeParser, tz::TimeZone};
use mercurious_contracts::{
    CostRange, Currency, Point,
    problem::{FieldCode, FieldError},
    request::limits,
    trip::{Activity, Part, Slot, Trip, TripDay, Warning},
};
use mercurious_planning::sums::sum_up;

use super::{
    At, Cost, Edit, Edits,
    edits::{TITLE, fault},
};

/// The code of the warning that ways are missing.
const WAYS_MISSING: &str = "edited";

/// A slot on its way, with the edit that put it there.
struct Placed {
    slot: Slot,
    by: Option<usize>,
}

/// The trip with all edits made, or every fault.
pub fn apply(trip: &Trip, edits: &Edits) -> Result<Trip, Vec<FieldError>> {
    let mut work = Work {
        days: trip.itinerary.days.iter().map(slots).collect(),
        dates: trip.itinerary.days.iter().map(|day| day.date).collect(),
        currency: trip.itinerary.currency.clone(),
        gone: BTreeSet::new(),
        named: BTreeSet::new(),
        added: Vec::new(),
        faults: Vec::new(),
    };
    for (number, edit) in edits.edits.iter().enumerate() {
        work.make(number, edit);
    }
    work.finish(trip)
}

fn slots(day: &TripDay) -> Vec<Placed> {
    day.slots.iter().map(|slot| Placed { slot: slot.clone(), by: None }).collect()
}

struct Work {
    days: Vec<Vec<Placed>>,
    dates: Vec<Date>,
    currency: Currency,
    /// Slots that are taken out, as day and place in it.
    gone: BTreeSet<(usize, usize)>,
    named: BTreeSet<At>,
    added: Vec<(usize, Placed)>,
    faults: Vec<FieldError>,
}

impl Work {
    fn fault(&mut self, number: usize, field: &str, code: FieldCode, message: impl Into<String>) {
        self.faults.push(fault(format!("edits[{number}].{field}"), code, message));
    }

    fn make(&mut self, number: usize, edit: &Edit) {
        match edit {
            Edit::Lock { at } => self.lock(number, *at, true),
            Edit::Unlock { at } => self.lock(number, *at, false),
            Edit::Remove { at } => {
                if let Some((day, slot)) = self.find(number, *at) {
                    self.take_out(day, slot);
                }
            }
            Edit::Move { at, day, start } => self.put(number, *at, *day, start),
            Edit::Replace { at, title, point, cost } => {
                let own = self.own(number, title, *point, *cost);
                if let (Some((day, slot)), Some((activity, cost))) = (self.find(number, *at), own) {
                    let old = self.days[day][slot].slot.clone();
                    self.take_out(day, slot);
                    let slot = Slot { activity, cost, reason: None, ..old };
                    self.added.push((day, Placed { slot, by: Some(number) }));
                }
            }
            Edit::Add { day, title, start, end, point, cost } => {
                let own = self.own(number, title, *point, *cost);
                let day = self.day(number, "day", *day);
                let begins = self.moment(number, "start", start);
                let ends = self.moment(number, "end", end);
                let (Some((activity, cost)), Some(day), Some(begins), Some(ends)) =
                    (own, day, begins, ends)
                else {
                    return;
                };
                if ends.timestamp() <= begins.timestamp() {
                    self.fault(number, "end", FieldCode::EndsBeforeStart, "is not after start");
                } else if self.belongs(number, day, &begins) {
                    let slot = Slot {
                        start: text(&begins),
                        end: text(&ends),
                        part: part(&begins),
                        activity,
                        cost,
                        locked: true,
                        reason: None,
                    };
                    self.added.push((day, Placed { slot, by: Some(number) }));
                }
            }
        }
    }

    fn lock(&mut self, number: usize, at: At, locked: bool) {
        if let Some((day, slot)) = self.find(number, at) {
            self.days[day][slot].slot.locked = locked;
        }
    }

    fn put(&mut self, number: usize, at: At, to: Option<u32>, start: &str) {
        let begins = self.moment(number, "start", start);
        let to = self.day(number, "day", to.unwrap_or(at.day));
        let (Some(begins), Some(to), Some((day, slot))) = (begins, to, self.find(number, at))
        else {
            return;
        };
        if !self.belongs(number, to, &begins) {
            return;
        }
        let mut moved = self.days[day][slot].slot.clone();
        let lasts = match (instant(&moved.start), instant(&moved.end)) {
            (Some(start), Some(end)) => end.duration_since(start),
            _ => return self.fault(number, "at", FieldCode::Malformed, "has no readable times"),
        };
        let Ok(ends) = begins.checked_add(lasts) else {
            return self.fault(number, "start", FieldCode::OutOfRange, "is beyond all dates");
        };
        self.take_out(day, slot);
        (moved.start, moved.end, moved.part) = (text(&begins), text(&ends), part(&begins));
        self.added.push((to, Placed { slot: moved, by: Some(number) }));
    }

    /// The slot that is meant: something that one does, and that no other edit names.
    fn find(&mut self, number: usize, at: At) -> Option<(usize, usize)> {
        // Day 0 is none either.
        let day = (at.day as usize).wrapping_sub(1);
        let Some(placed) = self.days.get(day).and_then(|slots| slots.get(at.slot)) else {
            self.fault(number, "at", FieldCode::OutOfRange, "is no slot of the trip");
            return None;
        };
        if matches!(placed.slot.activity, Activity::Travel { .. } | Activity::Free) {
            let message = "is a way or free time; what lies between follows from what one does";
            self.fault(number, "at", FieldCode::Conflict, message);
            return None;
        }
        if !self.named.insert(at) {
            self.fault(number, "at", FieldCode::Duplicate, "is named by another edit as well");
            return None;
        }
        Some((day, at.slot))
    }

    /// Takes a slot out, with the ways from and to it.
    fn take_out(&mut self, day: usize, slot: usize) {
        self.gone.insert((day, slot));
        let is_way = |slot: usize| {
            let placed = self.days[day].get(slot);
            placed.is_some_and(|placed| matches!(placed.slot.activity, Activity::Travel { .. }))
        };
        let before = slot.checked_sub(1).filter(|before| is_way(*before));
        let after = Some(slot + 1).filter(|after| is_way(*after));
        self.gone.extend(before.into_iter().chain(after).map(|way| (day, way)));
    }

    fn day(&mut self, number: usize, field: &str, day: u32) -> Option<usize> {
        let found = (day as usize).checked_sub(1).filter(|day| *day < self.days.len());
        if found.is_none() {
            self.fault(number, field, FieldCode::OutOfRange, "is no day of the trip");
        }
        found
    }

    fn moment(&mut self, number: usize, field: &str, text: &str) -> Option<Zoned> {
        let read = local(text);
        if read.is_none() {
            let message = "is no time with an offset, such as 2026-05-04T15:00:00+01:00";
            self.fault(number, field, FieldCode::Malformed, message);
        }
        read
    }

    /// Whether a moment is on that day, or in the night after it.
    fn belongs(&mut self, number: usize, day: usize, begins: &Zoned) -> bool {
        let date = self.dates[day];
        let night = date.tomorrow().is_ok_and(|next| begins.date() == next && begins.hour() < 6);
        if begins.date() == date || night {
            return true;
        }
        let message = format!("is not on day {}, which is {date}", day + 1);
        self.fault(number, "start", FieldCode::OutOfRange, message);
        false
    }

    /// Something of one's own.
    fn own(
        &mut self,
        number: usize,
        title: &str,
        point: Option<Point>,
        cost: Option<Cost>,
    ) -> Option<(Activity, CostRange)> {
        let before = self.faults.len();
        let title = title.trim();
        if title.is_empty() {
            self.fault(number, "title", FieldCode::Empty, "is empty");
        } else if title.chars().count() > TITLE {
            let message = format!("has more than {TITLE} characters");
            self.fault(number, "title", FieldCode::TooLong, message);
        } else if title.chars().any(char::is_control) {
            self.fault(number, "title", FieldCode::Malformed, "holds a control character");
        }
        let on_earth = |point: Point| {
            (-90.0..=90.0).contains(&point.lat) && (-180.0..=180.0).contains(&point.lon)
        };
        if point.is_some_and(|point| !on_earth(point)) {
            self.fault(number, "point", FieldCode::OutOfRange, "is not on earth");
        }
        let Cost { min, max } = cost.unwrap_or(Cost { min: 0, max: 0 });
        if min < 0 || max < min || max > limits::MONEY {
            self.fault(
                number,
                "cost",
                FieldCode::OutOfRange,
                "is not from 0 on with min up to max",
            );
        }
        let fixed = Activity::Fixed { title: title.to_owned(), point, place: None };
        let cost = CostRange { min, max, currency: self.currency.clone() };
        (self.faults.len() == before).then_some((fixed, cost))
    }

    fn finish(mut self, trip: &Trip) -> Result<Trip, Vec<FieldError>> {
        let mut days: Vec<Vec<Placed>> = Vec::new();
        for (day, slots) in std::mem::take(&mut self.days).into_iter().enumerate() {
            let stay = |(slot, _): &(usize, Placed)| !self.gone.contains(&(day, *slot));
            days.push(
                slots.into_iter().enumerate().filter(stay).map(|(_, placed)| placed).collect(),
            );
        }
        let changed = !self.gone.is_empty() || !self.added.is_empty();
        for (day, placed) in std::mem::take(&mut self.added) {
            make_room(&mut days[day], &placed.slot);
            days[day].push(placed);
        }
        for slots in &mut days {
            slots.sort_by_key(|placed| instant(&placed.slot.start));
        }
        // Nights belong to the day before: what overlaps may stand in two days.
        for (one, other) in days.iter().flatten().zip(days.iter().flatten().skip(1)) {
            if instant(&one.slot.end) > instant(&other.slot.start)
                && let Some(number) = other.by.or(one.by)
            {
                let with = if other.by == Some(number) { &one.slot } else { &other.slot };
                let message = format!("overlaps with what begins at {}", with.start);
                self.faults.push(fault(format!("edits[{number}]"), FieldCode::Conflict, message));
            }
        }
        if !self.faults.is_empty() {
            return Err(self.faults);
        }
        let mut trip = trip.clone();
        let itinerary = &mut trip.itinerary;
        for (day, slots) in itinerary.days.iter_mut().zip(days) {
            day.slots = slots.into_iter().map(|placed| placed.slot).collect();
        }
        sum_up(itinerary);
        if changed && itinerary.warnings.iter().all(|warning| warning.code != WAYS_MISSING) {
            itinerary.warnings.push(Warning {
                code: WAYS_MISSING.to_owned(),
                message:
                    "The trip was changed by hand: ways from and to what changed are not planned."
                        .to_owned(),
            });
        }
        Ok(trip)
    }
}

/// Takes out free time and ways that a new slot overlaps.
fn make_room(slots: &mut Vec<Placed>, new: &Slot) {
    let (start, end) = (instant(&new.start), instant(&new.end));
    slots.retain(|placed| {
        let gap = matches!(placed.slot.activity, Activity::Travel { .. } | Activity::Free);
        let overlaps = instant(&placed.slot.start) < end && instant(&placed.slot.end) > start;
        !(gap && overlaps)
    });
}

fn instant(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// A moment as a clock with its offset shows it.
fn local(text: &str) -> Option<Zoned> {
    static PARSER: DateTimeParser = DateTimeParser::new();
    let pieces = PARSER.parse_pieces(text).ok()?;
    let offset = pieces.to_numeric_offset()?;
    let instant: Timestamp = text.parse().ok()?;
    Some(instant.to_zoned(TimeZone::fixed(offset)))
}

/// As it is written in a trip.
fn text(moment: &Zoned) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

fn part(moment: &Zoned) -> Part {
    match moment.hour() {
        6..12 => Part::Morning,
        12..18 => Part::Afternoon,
        _ => Part::Evening,
    }
}
