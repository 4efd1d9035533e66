//! How fast trips are accepted, beside a handler that only reads JSON and answers.

use std::time::Duration;

use anyhow::Context as _;
use mercurious_backends::{Process, travel::Services};
use mercurious_trials::{
    free_address,
    report::{Figures, Section, say},
};
use tempfile::TempDir;

use crate::{
    on_real_servers,
    posting::{Pace, Posted, post},
    setting,
};

/// How often each is measured, in turn.
const ROUNDS: usize = 3;
const CONNECTIONS: u32 = 64;

/// One of those that are measured.
struct One {
    name: &'static str,
    port: u16,
    /// Milliseconds at the given rate: median and 99th percentile of each round.
    typical: Figures,
    late: Figures,
    most: Figures,
}

impl One {
    fn new(name: &'static str, port: u16) -> Self {
        let figures = Figures::default;
        Self { name, port, typical: figures(), late: figures(), most: figures() }
    }

    async fn round(&mut self, rate: u32, duration: Duration) -> anyhow::Result<()> {
        let Posted { milliseconds, .. } =
            post(self.port, Pace::Rate(rate), CONNECTIONS, duration).await?;
        self.typical.add(milliseconds.quantile(0.5).unwrap_or(f64::NAN));
        self.late.add(milliseconds.quantile(0.99).unwrap_or(f64::NAN));
        let posted = post(self.port, Pace::Most, CONNECTIONS, duration).await?;
        self.most.add(f64::from(posted.accepted) / duration.as_secs_f64());
        say(&format!("{}: {} accepted at most", self.name, posted.accepted));
        Ok(())
    }
}

fn bare(directory: &TempDir) -> anyhow::Result<(Process, u16)> {
    let port = free_address()?.port();
    let own = std::env::current_exe().context("cannot find the own file")?;
    let place = directory.path();
    let variables = [("PORT".to_owned(), port.to_string())];
    let arguments = ["bare".to_owned()];
    let mut process = Process::start_with(&own, &arguments, &variables, place, &place.join("log"))?;
    let answers = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
    process.wait_until(Duration::from_secs(20), answers)?;
    Ok((process, port))
}

fn port(services: &Services) -> u16 {
    services.all().first().map_or(0, |service| service.port)
}

pub(crate) async fn measure(rate: u32, duration: Duration) -> anyhow::Result<Section> {
    let directory = TempDir::with_prefix("mercurious-bench-")?;
    let (_bare, bare_port) = bare(&directory)?;
    // Nobody works on what is accepted: planning would take the cores.
    let alone = setting(&["api-gateway"], 1);
    let sqlite = on_real_servers(&alone, false).await?;
    let mongo = on_real_servers(&alone, true).await?;
    let mut all = [
        One::new("a bare handler", bare_port),
        One::new("the gateway, jobs in SQLite", port(&sqlite)),
        One::new("the gateway, jobs in the MongoDB-wire server, limits in Redis", port(&mongo)),
    ];
    for _ in 0..ROUNDS {
        for one in &mut all {
            one.round(rate, duration).await.context(one.name)?;
        }
    }
    let mut rows = Vec::new();
    let bare = all[0].most.median().unwrap_or(f64::NAN);
    for One { name, typical, late, most, .. } in &all {
        rows.push((
            format!("{name}: ms at {rate} requests a second, median; 99 %"),
            format!("{typical}; {late}"),
        ));
        let ratio = most.median().unwrap_or(f64::NAN) / bare;
        rows.push((
            format!("{name}: accepted a second at most; of the bare handler's"),
            format!("{most}; {:.0} %", ratio * 100.0),
        ));
    }
    Ok(Section {
        title: "Accepting trips",
        what: format!(
            "`POST /v1/trips` over {CONNECTIONS} kept connections for {} s, in turn, {ROUNDS} times, each request a job of its \
             own that is on the disk before it is answered; beside it an axum handler that reads the JSON and \
             answers 202. Latency counts from when a request was due. One gateway, a real Kafka (SASL SCRAM), no workers; all of \
             it shares the machine's cores.",
            duration.as_secs()
        ),
        rows,
    })
}
