//! Prints the definition of AutoDeploy, which comes from the code.

#[path = "schema/auto_deploy.rs"]
mod auto_deploy;
#[path = "schema/definition.rs"]
mod definition;
#[path = "schema/structural.rs"]
mod structural;

#[expect(clippy::print_stdout, reason = "what it prints is the page")]
fn main() {
    print!("{}", definition::page(&[auto_deploy::definition()]));
}
