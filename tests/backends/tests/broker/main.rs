//! The home's own broker under librdkafka: as a process, killed while it is used.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod child;
mod place;
mod tests;

use mercurious_backends::Unavailable;

#[expect(clippy::print_stdout, reason = "what a test program says")]
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == child::CONSUME) {
        child::consume();
    }
    // Nothing to fetch: the program is built beside the tests.
    let Some(program) =
        mercurious_backends::or_skip(|| place::program().map_err(Unavailable::from))
    else {
        println!("0 passed, 0 failed");
        return;
    };
    let wanted = arguments.into_iter().find(|argument| !argument.starts_with('-'));
    let (mut passed, mut failed) = (0, 0);
    macro_rules! run {
        ($($test:path),* $(,)?) => {$(
            let name = stringify!($test);
            if wanted.as_ref().is_none_or(|wanted| name.contains(wanted.as_str())) {
                let began = std::time::Instant::now();
                let ok = std::panic::catch_unwind(|| $test(&program)).is_ok();
                println!("test {name} ... {} ({:.1?})", if ok { "ok" } else { "FAILED" }, began.elapsed());
                if ok { passed += 1 } else { failed += 1 }
            }
        )*};
    }
    run!(
        tests::a_message_comes_as_it_was_sent,
        tests::a_topic_that_is_not_configured_is_never_made,
        tests::a_wrong_password_is_named_as_such,
        tests::what_is_acknowledged_and_committed_survives_a_kill,
        tests::a_group_goes_on_within_the_session_of_a_member_that_dies,
        tests::two_thousand_messages_survive_kills_of_broker_and_consumers,
        tests::sigterm_ends_it_while_clients_wait,
    );
    println!("{passed} passed, {failed} failed");
    assert_eq!(failed, 0, "tests failed");
}
