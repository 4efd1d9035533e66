mod accepting;
mod edges;
mod lives;
mod service;
mod streams;
