//! The way from one spot to another.

use serde::{Deserialize, Serialize};

use super::{Metres, Spot};

/// How one travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// On foot.
    Walk,
    /// By bus, tram, metro or train.
    Transit,
    /// In a car that waits where it was left.
    Car,
    /// In a car that somebody else drives.
    Taxi,
}

/// One way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    /// How long it takes.
    pub minutes: i32,
    /// How far one walks on it.
    pub metres: Metres,
    /// How one travels.
    pub mode: Mode,
}

impl Leg {
    /// No way at all: from a spot to itself.
    pub const STAY: Self = Self { minutes: 0, metres: Metres(0), mode: Mode::Walk };
}

/// The way from each spot to each other; not the same both ways, and not everywhere is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TravelTable {
    spots: u32,
    /// Row by row.
    legs: Vec<Option<Leg>>,
}

impl TravelTable {
    /// Asks `leg` for the way between each two different spots.
    pub fn build(spots: u32, mut leg: impl FnMut(Spot, Spot) -> Option<Leg>) -> Self {
        let mut legs = Vec::with_capacity(spots as usize * spots as usize);
        for from in 0..spots {
            for to in 0..spots {
                legs.push(if from == to { Some(Leg::STAY) } else { leg(Spot(from), Spot(to)) });
            }
        }
        Self { spots, legs }
    }

    /// How many spots there are.
    pub fn spots(&self) -> u32 {
        self.spots
    }

    /// The way from `from` to `to`, if there is one.
    pub fn leg(&self, from: Spot, to: Spot) -> Option<Leg> {
        if from.0 >= self.spots || to.0 >= self.spots {
            return None;
        }
        *self.legs.get(from.0 as usize * self.spots as usize + to.0 as usize)?
    }

    pub(super) fn legs(&self) -> &[Option<Leg>] {
        &self.legs
    }
}
