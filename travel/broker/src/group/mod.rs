//! Consumer groups: who is a member, which generation it is, and who has which partitions.
//!
//! Flow: [`state::Group`] is the protocol as a machine with no clock and no IO: it is given the moment and the request,
//! and keeps the channel on which a member waits. [`Coordinator`] keeps the groups and wakes them when a deadline is due.
//!
//! Guarantees: a generation begins only when every member of the one before has asked to join again, was given up after
//! its rebalance timeout, or has lost its session; so no two members have one partition. A commit is taken from the
//! present generation only.
//!
//! Caveats: membership is in memory. After a restart of the broker each member is unknown and joins anew, from the
//! committed offsets. There are no static members (`group.instance.id`): no version of the requests that has them is offered.

mod coordinator;
mod member;
mod state;
#[cfg(test)]
mod tests;

pub(crate) use coordinator::Coordinator;
pub(crate) use member::{JoinRequest, Protocol};
