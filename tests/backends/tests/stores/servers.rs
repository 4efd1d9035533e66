//! The other servers start, ask for their passwords, and keep what they were told across `kill -9`.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use mercurious_backends::{Mongo, Redis, or_skip};

/// What Redis answers to `commands` (inline protocol).
fn ask(url: &str, commands: &str) -> String {
    let address = url.rsplit_once('@').unwrap().1.trim_end_matches('/');
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "{commands}QUIT\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn password(url: &str) -> &str {
    url.split_once("redis://:").unwrap().1.split_once('@').unwrap().0
}

#[test]
fn redis_wants_its_password_and_keeps_what_it_was_told() {
    let Some(mut redis) = or_skip(Redis::start) else { return };
    let url = redis.url();
    assert!(ask(&url, "PING\r\n").contains("NOAUTH"), "no password asked for");
    assert!(ask(&url, "AUTH wrong\r\n").contains("WRONGPASS"), "a wrong password taken");
    let auth = format!("AUTH {}\r\n", password(&url));
    assert!(ask(&url, &format!("{auth}SET key value\r\n")).contains("+OK"));
    redis.kill();
    redis.start_again().unwrap();
    assert!(ask(&url, &format!("{auth}GET key\r\n")).contains("value"));
}

#[test]
fn the_mongodb_wire_server_starts_with_its_user_and_starts_again() {
    let Some(mut mongo) = or_skip(Mongo::start) else { return };
    assert_ne!(mongo.url(), mongo.url_with("wrong"));
    mongo.kill();
    mongo.start_again().unwrap();
}
