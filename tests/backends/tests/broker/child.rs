//! A consumer as a process of its own, so that it can be killed: the test itself, started with another argument.

use std::{
    io::{BufRead as _, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use mercurious_backends::Process;
use mercurious_runtime::{Clock as _, SystemClock};
use rdkafka::{
    ClientConfig, Message as _,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
};

use crate::place::{Place, TOPIC, consumer_settings};

pub(crate) const CONSUME: &str = "consume-as-a-child";

/// What a consumer has handled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    /// When, in microseconds since 1970.
    pub(crate) moment: i64,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) key: String,
    pub(crate) number: u32,
}

/// Starts a consumer of `group` that writes what it handles to a file of its own.
pub(crate) fn start(place: &Place, group: &str, name: &str) -> Process {
    let own = std::env::current_exe().unwrap();
    let config = place.client();
    let mut variables: Vec<(String, String)> = config
        .config_map()
        .iter()
        .map(|(name, value)| (format!("CLIENT_{name}"), (*value).to_owned()))
        .collect();
    variables.push(("GROUP".to_owned(), group.to_owned()));
    let file = path(place, group, name);
    variables.push(("HANDLED".to_owned(), file.display().to_string()));
    let log = place.path("consumers");
    let directory = file.parent().unwrap().to_owned();
    Process::start_with(&own, &[CONSUME.to_owned()], &variables, &directory, &log).unwrap()
}

fn path(place: &Place, group: &str, name: &str) -> PathBuf {
    place.path(&format!("handled-{group}-{name}"))
}

/// The consumer: handles a message by writing a line, commits it, and so on until it is killed.
pub(crate) fn consume() -> ! {
    let mut config = ClientConfig::new();
    let (mut group, mut file) = (String::new(), None);
    for (name, value) in std::env::vars() {
        if let Some(name) = name.strip_prefix("CLIENT_") {
            config.set(name, value);
        } else if name == "GROUP" {
            group = value;
        } else if name == "HANDLED" {
            let options = std::fs::File::options().create(true).append(true).open(value);
            file = Some(options.unwrap());
        }
    }
    let mut file = file.expect("a file to write to");
    let consumer: BaseConsumer = consumer_settings(config, &group).create().unwrap();
    consumer.subscribe(&[TOPIC]).unwrap();
    loop {
        let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else { continue };
        let key = String::from_utf8_lossy(message.key().unwrap()).into_owned();
        let payload = message.payload().unwrap();
        let number = String::from_utf8_lossy(&payload[..10]).trim().to_owned();
        let line = format!(
            "{} {} {} {key} {number}\n",
            SystemClock.now().as_microsecond(),
            message.partition(),
            message.offset()
        );
        file.write_all(line.as_bytes()).unwrap();
        // One that fails, because the broker is away or the generation over, comes again: at least once.
        let _ = consumer.commit_message(&message, CommitMode::Sync);
    }
}

/// Everything that the consumers of a group have handled, in the order of time.
pub(crate) fn handled(directory: &Path, group: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.starts_with(&format!("handled-{group}-")) {
            continue;
        }
        for line in std::io::BufReader::new(std::fs::File::open(path).unwrap()).lines() {
            let line = line.unwrap();
            let words: Vec<&str> = line.split(' ').collect();
            // A consumer that was killed may have left half a line.
            let [moment, partition, offset, key, number] = words[..] else { continue };
            let (Ok(moment), Ok(number)) = (moment.parse(), number.parse()) else { continue };
            lines.push(Line {
                moment,
                partition: partition.parse().unwrap(),
                offset: offset.parse().unwrap(),
                key: key.to_owned(),
                number,
            });
        }
    }
    lines.sort_by_key(|line| line.moment);
    lines
}
