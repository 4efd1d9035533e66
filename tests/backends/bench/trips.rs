//! From accepted to completed.

use anyhow::ensure;
use mercurious_backends::travel::{Person, client};
use mercurious_trials::report::{Figures, Section, say};
use tokio::time::Instant;

use crate::{on_one_machine, on_real_servers, quantiles, setting};

/// Milliseconds from accepted to heard of as completed, one trip after the other.
async fn one_by_one(gateways: &[String], trips: usize) -> anyhow::Result<Figures> {
    let mut person = Person::new(&client()?, gateways, 1);
    let mut milliseconds = Figures::default();
    for trip in 0..trips {
        let job = person.ask(trip).await?.job_id.to_string();
        let accepted = Instant::now();
        let told = person.listen(&job, 0).await?;
        milliseconds.add(accepted.elapsed().as_secs_f64() * 1000.0);
        let end = told.last().map(|told| told.event.as_str());
        ensure!(end == Some("completed"), "trip {trip} ended with {end:?}");
    }
    ensure!(person.faults.is_empty(), "something failed: {:?}", person.faults);
    Ok(milliseconds)
}

pub(crate) async fn measure(trips: usize) -> anyhow::Result<Section> {
    let services = setting(&["api-gateway", "api-enrichment", "api-generation"], 2);
    let services = on_real_servers(&services, true).await?;
    let real = one_by_one(&services.gateways, trips).await?;
    drop(services);
    say(&format!("on real servers: {} ms", quantiles(&real)));
    let local = on_one_machine().await?;
    let embedded = one_by_one(&[local.gateway()], trips).await?;
    say(&format!("on one machine: {} ms", quantiles(&embedded)));
    let row = |place: &str, milliseconds: &Figures| {
        (format!("{place}: ms from accepted to completed, median, 95 %"), quantiles(milliseconds))
    };
    Ok(Section {
        title: "Trips",
        what: format!(
            "{trips} trips of 2 to 4 days to Lisbon and Kyoto, one after the other, each heard of over its stream; no language \
             model. First two replicas of each service on a real Kafka (SASL SCRAM), a MongoDB-wire server and Redis; \
             then the platform of one machine: its own broker, SQLite, two gateways behind the front proxy and one \
             worker of each kind."
        ),
        rows: vec![
            row("real Kafka, MongoDB-wire server, Redis", &real),
            row("one machine", &embedded),
        ],
    })
}
