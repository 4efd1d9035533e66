//! What a cluster cannot be made to do: an API server that refuses, conflicts, loses answers and forgets.

mod api_server;
mod lease;
mod reading;
mod store;
mod workloads;
