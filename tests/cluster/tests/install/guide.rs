use crate::built::{built, deploy, list, name};

/// The operator's guide has these two, for `api-gateway`.
const GUIDE: &str = include_str!("../../../../delivery/local/manifests/tests/good/guide.yaml");

#[test]
fn the_guides_image_objects_are_there_byte_for_byte() {
    for service in ["api-gateway", "api-enrichment", "api-generation"] {
        let file = deploy().join(format!("guide/images/{service}.yaml"));
        let expected = GUIDE.replace("api-gateway", service);
        assert_eq!(std::fs::read_to_string(file).unwrap(), expected, "{service}");
    }
}

#[test]
fn the_cron_job_is_the_guides() {
    let objects = built("guide");
    let job = objects.iter().find(|object| name(object) == "CronJob app/auto-deploy").unwrap();
    let spec = &job["spec"];
    assert_eq!(spec["schedule"], "*/2 * * * *");
    assert_eq!(spec["concurrencyPolicy"], "Forbid");
    for history in ["successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
        assert!(spec[history].as_u64().is_some_and(|limit| (1..=5).contains(&limit)), "{history}");
    }
    let pod = &spec["jobTemplate"]["spec"]["template"]["spec"];
    let container = list(&pod["containers"]).next().unwrap();
    let requests = serde_json::json!({ "cpu": "10m", "memory": "32Mi" });
    assert_eq!(container["resources"]["requests"], requests);
    assert_eq!(container["resources"]["limits"]["memory"], "32Mi");
}
