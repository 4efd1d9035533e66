//! What only a real cluster can show. One serves all tests; it is taken down after the last, and nothing may be left.

#![expect(clippy::unwrap_used, reason = "a test program without a runtime has failed")]

mod choosing;
mod controlled;
mod credentials;
mod example;
mod gate;
mod guide;
mod install;
mod killed;
mod one_at_a_time;
mod passes;
mod reflected;
mod rollouts;
mod stage;
mod steered;
mod vault;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use mercurious_cluster::{Cluster, Unavailable};
use stage::{Stage, Test};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    if !arguments.list {
        if stage::mode().as_deref() == Some("skip") {
            return stage::skipped("MERCURIOUS_CLUSTER_TESTS=skip");
        }
        if let Err(Unavailable(why)) = Cluster::available() {
            return stage::skipped(&why);
        }
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stage = Stage::default();
    let tests: Vec<Test> = [
        rollouts::tests(),
        install::tests(),
        reflected::tests(),
        credentials::tests(),
        passes::tests(),
        killed::tests(),
        choosing::tests(),
        guide::tests(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let trials = tests
        .into_iter()
        .map(|(name, test)| {
            let (stage, handle) = (stage.clone(), runtime.handle().clone());
            Trial::test(name, move || handle.block_on(stage.run(name, test)))
        })
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    let left = runtime.block_on(stage.end());
    if let Err(error) = left {
        eprintln!("the cluster did not go cleanly: {error:#}");
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}
