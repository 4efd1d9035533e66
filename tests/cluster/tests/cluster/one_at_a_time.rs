use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use serde_json::Value;

/// Who held the Lease from when.
struct Tenure<'a> {
    from: Timestamp,
    holder: &'a str,
}

/// Reads in the API server's audit log whether each write to AutoDeploys and Deployments of this namespace came from
/// the engine that held the Lease then; how many writes that were.
pub(crate) fn one_engine_at_a_time(audit: &[Value], namespace: &str) -> anyhow::Result<usize> {
    let ours: Vec<&Value> = audit
        .iter()
        .filter(|event| event["objectRef"]["namespace"] == namespace)
        .filter(|event| event["responseStatus"]["code"].as_u64().is_some_and(|code| code < 300))
        .filter(|event| matches!(event["verb"].as_str(), Some("create" | "update" | "patch")))
        .filter(|event| user(event).contains(":engine-"))
        .collect();
    let mut tenures: Vec<Tenure<'_>> = Vec::new();
    for event in of(&ours, "leases") {
        // Who gives the Lease back holds it no more.
        let is_held = event["requestObject"]["spec"]["holderIdentity"].is_string();
        let holder = if is_held { user(event) } else { "" };
        tenures.push(Tenure { from: time(event, "stageTimestamp")?, holder });
    }
    tenures.sort_by_key(|tenure| tenure.from);
    let mut by_engine: BTreeMap<&str, usize> = BTreeMap::new();
    for event in of(&ours, "autodeploys").chain(of(&ours, "deployments")) {
        let at = time(event, "requestReceivedTimestamp")?;
        let tenure = tenures.iter().rev().find(|tenure| tenure.from <= at);
        let holder = tenure.map_or("nobody", |tenure| tenure.holder);
        ensure!(
            holder == user(event),
            "{} wrote {} at {at}, while {holder:?} held the Lease: {event}",
            user(event),
            event["objectRef"]["resource"]
        );
        *by_engine.entry(user(event)).or_default() += 1;
    }
    ensure!(!tenures.is_empty() && !by_engine.is_empty(), "no engine was at work: {by_engine:?}");
    Ok(by_engine.values().sum())
}

fn of<'a>(events: &[&'a Value], resource: &'static str) -> impl Iterator<Item = &'a Value> {
    events.iter().copied().filter(move |event| event["objectRef"]["resource"] == resource)
}

fn user(event: &Value) -> &str {
    event["user"]["username"].as_str().unwrap_or_default()
}

fn time(event: &Value, key: &str) -> anyhow::Result<Timestamp> {
    let text = event[key].as_str().with_context(|| format!("no {key}: {event}"))?;
    Ok(text.parse()?)
}
