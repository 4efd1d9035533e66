//! How ways are worked out: speeds that are usual in cities, as estimates.

use mercurious_contracts::{
    Mode,
    facts::{ModeSpeed, TravelModel},
    request::TripRequest,
};

use crate::sources::bundled::by_hand;

/// On foot where nothing faster may be used, however far.
const WALK: ModeSpeed = ModeSpeed {
    mode: Mode::Walk,
    metres_per_minute: 75,
    detour_percent: 130,
    extra_minutes: 0,
    extra_walk_metres: 0,
    at_most_metres: None,
};

/// The ways of travelling that the request allows.
pub fn model(request: &TripRequest) -> TravelModel {
    let mut modes = Vec::new();
    for mode in [Mode::Transit, Mode::Car, Mode::Taxi] {
        if request.transport.contains(&mode) {
            modes.push(faster(mode));
        }
    }
    // Beside something faster, nobody walks for an hour.
    let at_most_metres = (!modes.is_empty()).then_some(4_000);
    modes.insert(0, ModeSpeed { at_most_metres, ..WALK });
    TravelModel { modes, provenance: by_hand("travel times") }
}

fn faster(mode: Mode) -> ModeSpeed {
    let (metres_per_minute, extra_minutes, extra_walk_metres) = match mode {
        Mode::Walk => (WALK.metres_per_minute, 0, 0),
        // Waiting, and the ways to the stop and from it.
        Mode::Transit => (300, 10, 400),
        // Parking.
        Mode::Car => (400, 7, 200),
        Mode::Taxi => (400, 5, 50),
    };
    ModeSpeed {
        mode,
        metres_per_minute,
        detour_percent: 135,
        extra_minutes,
        extra_walk_metres,
        at_most_metres: None,
    }
}
