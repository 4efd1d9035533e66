//! The way from one point to another, worked out from the model that enrichment sends.

use mercurious_contracts::{
    Mode, Point,
    facts::{ModeSpeed, TravelModel},
};
use mercurious_itinerary::trip::{self, Leg, Metres, TravelTable, limits};

/// The ways between all of `points`.
pub fn table(points: &[Point], model: &TravelModel) -> TravelTable {
    TravelTable::build(points.len() as u32, |from, to| {
        leg(points[from.0 as usize], points[to.0 as usize], model)
    })
}

/// The quickest way, if there is one.
pub fn leg(from: Point, to: Point, model: &TravelModel) -> Option<Leg> {
    let direct = from.metres_to(to);
    model.modes.iter().filter_map(|speed| by(speed, direct)).min_by_key(|leg| leg.minutes)
}

fn by(speed: &ModeSpeed, direct: f64) -> Option<Leg> {
    let way = (direct * f64::from(speed.detour_percent) / 100.0).round();
    if speed.at_most_metres.is_some_and(|most| way > f64::from(most)) {
        return None;
    }
    if way < 1.0 {
        return Some(Leg::STAY);
    }
    let minutes = (way / f64::from(speed.metres_per_minute.max(1))).ceil() as i64
        + i64::from(speed.extra_minutes);
    let minutes = i32::try_from(minutes).ok().filter(|minutes| *minutes <= limits::WAY)?;
    let metres = match speed.mode {
        Mode::Walk => way as u32,
        _ => speed.extra_walk_metres,
    };
    Some(Leg { minutes, metres: Metres(metres), mode: mode(speed.mode) })
}

/// The planner's word for a way of travelling.
pub fn mode(mode: Mode) -> trip::Mode {
    match mode {
        Mode::Walk => trip::Mode::Walk,
        Mode::Transit => trip::Mode::Transit,
        Mode::Car => trip::Mode::Car,
        Mode::Taxi => trip::Mode::Taxi,
    }
}
