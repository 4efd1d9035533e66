//! Prints our own copies of Flux's kinds, which come from the code.

#[path = "schema/definition.rs"]
mod definition;
#[path = "schema/flux.rs"]
mod flux;
#[path = "schema/structural.rs"]
mod structural;

#[expect(clippy::print_stdout, reason = "what it prints is the page")]
fn main() {
    print!("{}", definition::page(&[flux::image_repository(), flux::image_policy()]));
}
