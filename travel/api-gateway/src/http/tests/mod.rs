mod accepting;
mod edges;
mod lives;
mod regenerating;
mod service;
mod streams;
