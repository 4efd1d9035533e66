use std::collections::BTreeSet;

use mercurious_distribution::Settings;

use crate::support::Registry;

#[tokio::test]
async fn a_page_of_another_site_cannot_use_the_registry() {
    let registry = Registry::new();
    let ask = async |host: &str, origin: &[(&str, &str)]| {
        let headers = [&[("host", host)], origin].concat();
        registry.ask_with("DELETE", "/v2/app/manifests/x", &headers, "").await
    };
    ask("127.0.0.1:5000", &[]).await.refused(404, "MANIFEST_UNKNOWN");
    let answer = ask("rebound.evil.test:5000", &[]).await.refused(421, "DENIED");
    assert!(answer.json()["errors"][0]["message"].as_str().unwrap().contains("rebound.evil.test"));
    ask("localhost:5000", &[("origin", "https://evil.test")]).await.refused(403, "DENIED");
    ask("localhost:5000", &[("sec-fetch-site", "cross-site")]).await.refused(403, "DENIED");
    // Refused requests are no registry traffic.
    assert_eq!(registry.distribution.requests().total(), 1);
}

#[tokio::test]
async fn a_name_can_be_allowed() {
    let allowed_hosts = BTreeSet::from(["registry.internal".to_owned()]);
    let registry = Registry::with(Settings { allowed_hosts, ..Settings::default() });
    let ask = async |host: &str| registry.ask_with("GET", "/v2/", &[("host", host)], "").await;
    ask("registry.internal:5000").await.is(200);
    ask("other.internal:5000").await.refused(421, "DENIED");
}
