//! New versions of the services while people use them.

use anyhow::ensure;
use mercurious_backends::travel::{Answers, Local, Person, Programs, client};
use mercurious_core::rollout::Phase;

use crate::{
    ledger, must_be_right,
    traffic::{Seen, Traffic},
    variables,
};

/// A new image of each service goes out under load: no request fails, and no job is lost or doubled.
pub(crate) async fn good(programs: &Programs) -> anyhow::Result<()> {
    let local = Local::start(programs, &variables()).await?;
    let traffic = Traffic::begin(&local.gateway())?;
    for service in ["api-gateway", "api-enrichment", "api-generation"] {
        let began = tokio::time::Instant::now();
        let digest = local.publish(service, &[]).await?;
        local.ended(service, &digest, Phase::Succeeded).await?;
        println!("  {service}: rolled out in {:.1?}", began.elapsed());
    }
    all_is_well(&local, traffic.end().await?).await
}

/// A version that starts and is ready, and does not consume what it should, is taken back by its check.
pub(crate) async fn bad(programs: &Programs) -> anyhow::Result<()> {
    let local = Local::start(programs, &variables()).await?;
    let traffic = Traffic::begin(&local.gateway())?;
    // One in another group: nobody has the partitions of its own. One that gets its share and finishes nothing: it
    // waits for a language model that never answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let model = format!("MODEL_BASE_URL=http://{}/v1", silent.local_addr()?);
    let nowhere: [&str; 1] = ["KAFKA_GROUP_ID=nobody-knows"];
    let stuck = ["MODEL_NAME=silent", &model, "MODEL_TIMEOUT_SECONDS=100"];
    for (service, variables, fault) in [
        ("api-enrichment", &nowhere[..], "answered 503"),
        ("api-generation", &stuck[..], "answered 503"),
    ] {
        let began = tokio::time::Instant::now();
        let digest = local.publish(service, variables).await?;
        let view = local.ended(service, &digest, Phase::RolledBack).await?;
        let status = view.object.status.unwrap_or_default();
        let message = status
            .history
            .iter()
            .find(|attempt| attempt.release.digest == digest)
            .map(|attempt| attempt.message.clone())
            .unwrap_or_default();
        println!("  {service}: taken back after {:.1?}: {message}", began.elapsed());
        ensure!(message.contains("/consuming") && message.contains(fault), "taken back: {message}");
        ensure!(status.holds.iter().any(|hold| hold.digest == digest), "it is not held");
    }
    all_is_well(&local, traffic.end().await?).await
}

async fn all_is_well(local: &Local, seen: Seen) -> anyhow::Result<()> {
    let Seen { accepted, heard, faults } = seen;
    ensure!(faults.is_empty(), "{} faults: {:#?}", faults.len(), &faults[..faults.len().min(20)]);
    ensure!(accepted >= 20, "{accepted} trips prove little");
    let answers = Answers { heard, accepted, ..Answers::default() };
    let mut person = Person::new(&client()?, &[local.gateway()], 0);
    let heard = answers.uncut(&mut person).await?;
    must_be_right(&ledger(local, accepted, heard).await?)
}
