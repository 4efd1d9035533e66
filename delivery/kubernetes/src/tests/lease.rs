use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use mercurious_core::resources::ObjectName;
use mercurious_runtime::Clock;
use serde_json::{Value, json};

use super::api_server::{ApiServer, api_server};
use crate::{Denied, Lease, LeaseSettings, Permit as _};

const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/app/leases/mercurious";
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/app/leases";

#[derive(Debug)]
struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        "2026-01-01T12:00:00Z".parse().unwrap()
    }
}

fn lease() -> (Lease, ApiServer) {
    let (client, server) = api_server();
    let settings = LeaseSettings {
        name: ObjectName::new("app", "mercurious"),
        holder: "own".to_owned(),
        duration: Duration::from_secs(15),
        renew_every: Duration::from_secs(3),
    };
    (Lease::new(client, settings, Arc::new(Noon)), server)
}

fn held(holder: &str, renewed: &str) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "mercurious", "namespace": "app", "resourceVersion": "5"},
        "spec": {
            "holderIdentity": holder, "leaseDurationSeconds": 15, "leaseTransitions": 1,
            "renewTime": renewed, "acquireTime": renewed,
        },
    })
}

#[tokio::test]
async fn the_first_to_write_makes_the_lease_and_holds_it() {
    let (lease, mut server) = lease();
    assert!(!lease.is_held());
    let (taken, ()) = tokio::join!(lease.confirm(), async {
        server.expect("GET", LEASE).await.refuse(404, "NotFound", "not found");
        let call = server.expect("POST", LEASES).await;
        assert_eq!(call.body["spec"]["holderIdentity"], "own");
        let body = call.body.clone();
        call.answer(&body);
    });
    taken.unwrap();
    assert!(lease.is_held());
    // No request: it is held.
    lease.confirm().await.unwrap();
}

#[tokio::test]
async fn r18_a_lease_that_another_renews_is_not_taken() {
    let (lease, mut server) = lease();
    let (taken, ()) = tokio::join!(lease.confirm(), async {
        let theirs = held("theirs", "2026-01-01T11:59:50.000000Z");
        server.expect("GET", LEASE).await.answer(&theirs);
    });
    let held = Denied::Held { holder: "theirs".to_owned(), lease: "app/mercurious".to_owned() };
    assert_eq!(taken, Err(held));
}

#[tokio::test]
async fn a_lease_that_ran_out_is_taken_with_the_version_that_was_read() {
    let (lease, mut server) = lease();
    let (taken, ()) = tokio::join!(lease.try_take(), async {
        let theirs = held("theirs", "2026-01-01T11:59:00.000000Z");
        server.expect("GET", LEASE).await.answer(&theirs);
        let call = server.expect("PUT", LEASE).await;
        assert_eq!(call.body["metadata"]["resourceVersion"], "5");
        assert_eq!(call.body["spec"]["leaseTransitions"], 2);
        let body = call.body.clone();
        call.answer(&body);
    });
    assert_eq!(taken.unwrap(), None);
}

#[tokio::test]
async fn of_two_that_take_it_at_once_one_is_told_who_was_quicker() {
    let (lease, mut server) = lease();
    let (taken, ()) = tokio::join!(lease.try_take(), async {
        server.expect("GET", LEASE).await.answer(&held("", "2026-01-01T11:59:50.000000Z"));
        server.expect("PUT", LEASE).await.refuse(409, "Conflict", "modified");
        let theirs = held("quicker", "2026-01-01T12:00:00.000000Z");
        server.expect("GET", LEASE).await.answer(&theirs);
    });
    assert_eq!(taken.unwrap().as_deref(), Some("quicker"));
    assert!(!lease.is_held());
}

#[tokio::test(start_paused = true)]
async fn a_permit_ends_by_our_own_clock_before_others_may_take_the_lease() {
    let (lease, mut server) = lease();
    let (taken, ()) = tokio::join!(lease.try_take(), async {
        server.expect("GET", LEASE).await.answer(&held("own", "2026-01-01T11:59:50.000000Z"));
        let call = server.expect("PUT", LEASE).await;
        let body = call.body.clone();
        call.answer(&body);
    });
    assert_eq!(taken.unwrap(), None);
    tokio::time::advance(Duration::from_secs(11)).await;
    assert!(lease.is_held());
    tokio::time::advance(Duration::from_secs(2)).await;
    assert!(!lease.is_held());
}

#[tokio::test]
async fn a_lease_that_is_held_is_renewed_without_reading_it() {
    let (lease, mut server) = lease();
    let (taken, ()) = tokio::join!(lease.try_take(), async {
        server.expect("GET", LEASE).await.answer(&held("own", "2026-01-01T11:59:50.000000Z"));
        server.expect("PUT", LEASE).await.answer(&held("own", "2026-01-01T12:00:00.000000Z"));
    });
    assert_eq!(taken.unwrap(), None);
    let (renewed, ()) = tokio::join!(lease.try_take(), async {
        server.expect("PUT", LEASE).await.refuse(409, "Conflict", "modified");
        server.expect("GET", LEASE).await.answer(&held("theirs", "2026-01-01T12:00:00.000000Z"));
    });
    assert_eq!(renewed.unwrap().as_deref(), Some("theirs"));
    assert!(!lease.is_held());
}
