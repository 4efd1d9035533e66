//! Rules one by one, the faults of the hand-made pipeline, and the ten invariants over random stories.

mod arbitrary;
mod at_work;
mod conditions;
mod invariants;
mod people;
mod regressions;
mod requests;
mod starting;
mod world;
