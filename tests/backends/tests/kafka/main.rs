//! The Kafka implementation on a real broker. One broker serves all tests; the last kill it.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod allowed;
mod failing;
mod handling;
mod stage;
mod starting;

use stage::Stage;

#[expect(clippy::print_stdout, reason = "what a test program says")]
fn main() {
    let Some(kafka) = mercurious_backends::or_skip(mercurious_backends::Kafka::start) else {
        println!("0 passed, 0 failed");
        return;
    };
    let runtime = tokio::runtime::Runtime::new().expect("no runtime");
    let mut stage = Stage::new(kafka);
    let (mut passed, mut failed) = (0, 0);
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    macro_rules! run {
        ($($test:path),* $(,)?) => {$(
            let name = stringify!($test);
            if wanted.as_ref().is_none_or(|wanted| name.contains(wanted.as_str())) {
                let began = std::time::Instant::now();
                let run = std::panic::AssertUnwindSafe(|| {
                    runtime.block_on(async {
                        let limit = std::time::Duration::from_mins(4);
                        tokio::time::timeout(limit, $test(&mut stage)).await.expect("not done in time");
                    });
                });
                let ok = std::panic::catch_unwind(run).is_ok();
                println!("test {name} ... {} ({:.1?})", if ok { "ok" } else { "FAILED" }, began.elapsed());
                if ok { passed += 1 } else { failed += 1 }
            }
        )*};
    }
    run!(
        starting::what_is_right_passes_the_check,
        starting::r46_a_wrong_password_is_named_as_such,
        starting::nobody_listening_is_named_as_such,
        starting::r44_missing_topics_are_named_and_not_created,
        starting::r44_a_wrong_number_of_partitions_is_named,
        starting::r55_a_user_without_rights_is_named,
        starting::r54_tls_works_with_each_mechanism_and_a_stranger_is_not_trusted,
        allowed::r55_each_service_may_do_what_it_needs_and_nothing_else,
        handling::a_message_comes_as_it_was_sent,
        handling::a_restart_loses_nothing_and_handles_nothing_twice,
        handling::a_rebalance_while_handling_handles_nothing_twice,
        handling::poison_and_failing_messages_end_as_dead_letters,
        handling::every_follower_gets_every_message,
        failing::a_broker_killed_at_work_loses_nothing,
    );
    drop(stage);
    println!("{passed} passed, {failed} failed");
    assert_eq!(failed, 0, "tests failed");
}
