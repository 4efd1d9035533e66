//! Starts the real program as a process, pushes real images into it, kills it, and looks at what is left.
//!
//! **Flow.** [`Wish`] writes the manifests of one Deployment with its policy; [`Home::start`] runs `mercurious up` on
//! them in a temporary directory; [`Home::push`] makes and pushes an image of the program's own example server with
//! `mercurious publish`; [`Home::until`] waits for the engine to say something.
//!
//! [`Moment`] names a point of a rollout; [`Home::reach`] waits for it, so that a trial can kill the engine there, and
//! [`State`] is what lies on the disk then. [`Chance`] gives every random choice from one printed seed.
//!
//! **Guarantees.** Every process of a home carries a mark in its environment, so that [`Home::processes`] finds
//! what a killed engine left. Dropping a home kills it.
//!
//! **Caveats.** The program is looked for beside the test's own executable: build it first, as `cargo xtask test` does.

mod aftermath;
mod home;
mod image;
mod marked;
mod moment;
mod program;
mod push_like;
pub mod report;
mod seed;
mod told;
mod trial;
mod wish;

pub use aftermath::{State, ran, settled};
pub use home::{Home, free_address};
pub use image::Image;
pub use marked::{Process, marked};
pub use moment::{Moment, Seen};
pub use program::Program;
pub use push_like::Pattern;
pub use seed::Chance;
pub use told::{ToldHome, ToldReceiver};
pub use trial::{End, Kind, Trial, at_rest};
pub use wish::Wish;
