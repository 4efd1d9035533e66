//! One request's way: from the client's connection to an instance and back.

mod activity;
mod exchange;
mod head;
mod reply;
mod request_body;
mod response_body;
mod service;
mod tunnel;

pub(crate) use activity::{Activity, InFlight};
pub(crate) use request_body::RequestBody;
pub(crate) use service::{Client, Target};
