//! Each sender's notification of a push, in the shape that its documentation shows.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::StatusCode;
use serde_json::{Value, json};

use crate::support::{Hooks, SECRET, digest, signature};

/// What was heard of a body that was taken.
async fn accepted(
    hooks: &Hooks,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> Vec<String> {
    let (status, answer) = hooks.post(path, headers, body.to_string()).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    assert_eq!(answer["outcome"], "accepted");
    hooks.heard()
}

/// Why nothing came of a body that was taken.
async fn ignored(hooks: &Hooks, path: &str, headers: &[(&str, &str)], body: &Value) -> String {
    let (status, answer) = hooks.post(path, headers, body.to_string()).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(hooks.heard(), [""; 0]);
    answer["reason"].as_str().unwrap_or_default().to_owned()
}

/// What is said to be missing.
async fn malformed(hooks: &Hooks, path: &str, headers: &[(&str, &str)], body: &Value) -> String {
    let (status, answer) = hooks.post(path, headers, body.to_string()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
    assert_eq!(hooks.heard(), [""; 0]);
    answer["detail"].as_str().unwrap().to_owned()
}

fn package(key: &str, tag: &str) -> Value {
    json!({
        "action": "published",
        key: {
            "id": 1, "name": "app", "namespace": "Team", "ecosystem": "CONTAINER",
            "package_type": "CONTAINER", "html_url": "https://github.com/Team/app/packages/1",
            "owner": { "login": "Team", "id": 2, "type": "Organization" },
            "package_version": {
                "id": 3, "version": digest(), "name": digest(), "description": "",
                "container_metadata": {
                    "tag": { "name": tag, "digest": digest() },
                    "labels": { "description": "", "source": "", "revision": "" },
                    "manifest": { "digest": digest(), "media_type": "application/vnd.oci.image.index.v1+json" },
                },
                "package_url": format!("ghcr.io/Team/app:{tag}"),
                "created_at": "0001-01-01T00:00:00Z",
            },
            "registry": { "name": "GitHub CONTAINER registry", "type": "CONTAINER", "vendor": "GitHub Inc" },
        },
        "repository": { "id": 4, "full_name": "Team/app" },
        "sender": { "login": "someone" },
    })
}

async fn github(hooks: &Hooks, event: &str, id: &str, body: &Value) -> (StatusCode, Value) {
    let signature = format!("sha256={}", signature(&body.to_string()));
    let headers =
        [("x-github-event", event), ("x-github-delivery", id), ("x-hub-signature-256", &signature)];
    hooks.post("/hooks/it", &headers, body.to_string()).await
}

#[tokio::test]
async fn github_tells_of_packages_by_both_events() {
    let hooks = Hooks::of("github", "");
    for event in ["package", "registry_package"] {
        let (status, _) = github(&hooks, event, event, &package(event, "latest")).await;
        assert_eq!(status, StatusCode::ACCEPTED);
        assert_eq!(hooks.heard(), [format!("ghcr.io/team/app:latest@{}", digest())]);
    }
    // A child of an index: no tag.
    let (status, _) = github(&hooks, "package", "child", &package("package", "")).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    assert_eq!(hooks.heard(), [format!("ghcr.io/team/app@{}", digest())]);
    // No URL: the owner and the name.
    let mut body = package("package", "v1");
    body["package"]["package_version"].as_object_mut().unwrap().remove("package_url");
    github(&hooks, "package", "bare", &body).await;
    assert_eq!(hooks.heard(), [format!("ghcr.io/team/app:v1@{}", digest())]);
}

#[tokio::test]
async fn github_is_read_as_a_form_too() {
    let hooks = Hooks::of("ghcr", "");
    let json = package("package", "latest").to_string();
    let body: String =
        url::form_urlencoded::Serializer::new(String::new()).append_pair("payload", &json).finish();
    let signature = format!("sha256={}", signature(&body));
    let headers = [
        ("x-github-event", "package"),
        ("x-hub-signature-256", &signature),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let (status, answer) = hooks.post("/hooks/it", &headers, body).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    assert_eq!(hooks.heard().len(), 1);
}

#[tokio::test]
async fn of_github_only_pushed_container_images_matter() {
    let hooks = Hooks::of("github", "");
    let (status, answer) =
        github(&hooks, "ping", "1", &json!({"zen": "Keep it logically awesome."})).await;
    assert_eq!((status, &answer["outcome"]), (StatusCode::OK, &json!("ignored")));
    let mut body = package("package", "latest");
    body["action"] = "deleted".into();
    assert_eq!(github(&hooks, "package", "2", &body).await.0, StatusCode::OK);
    let mut body = package("package", "1.0.0");
    body["package"]["package_type"] = "npm".into();
    assert_eq!(github(&hooks, "package", "3", &body).await.0, StatusCode::OK);
    assert_eq!(hooks.heard(), [""; 0]);
    let (status, answer) = github(&hooks, "package", "4", &json!({"action": "published"})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(answer["detail"].as_str().unwrap().contains("package.name"), "{answer}");
}

#[tokio::test]
async fn docker_hub_tells_of_a_tag() {
    let hooks = Hooks::of("dockerhub", "");
    let path = format!("/hooks/it/{SECRET}");
    let body = json!({
        "callback_url": "https://registry.hub.docker.com/u/team/app/hook/2141b5/",
        "push_data": { "pushed_at": 1_417_566_161, "pusher": "someone", "tag": "latest" },
        "repository": {
            "name": "app", "namespace": "team", "owner": "team", "repo_name": "team/app",
            "repo_url": "https://registry.hub.docker.com/u/team/app/", "status": "Active",
        },
    });
    assert_eq!(accepted(&hooks, &path, &[], &body).await, ["docker.io/team/app:latest"]);
    let missing = malformed(&hooks, &path, &[], &json!({"push_data": {}})).await;
    assert!(missing.contains("repository.repo_name"), "{missing}");
}

#[tokio::test]
async fn harbor_tells_of_artifacts_in_both_formats() {
    let hooks = Hooks::of("harbor", "");
    let headers = [("authorization", SECRET), ("content-type", "application/json")];
    let data = json!({
        "resources": [{
            "digest": digest(), "tag": "latest", "resource_url": "harbor.lan/team/app:latest",
        }],
        "repository": {
            "date_created": 1_680_502_375, "name": "app", "namespace": "team",
            "repo_full_name": "team/app", "repo_type": "private",
        },
    });
    let usual = json!({
        "type": "PUSH_ARTIFACT", "occur_at": 1_680_502_375, "operator": "harbor-jobservice",
        "event_data": data,
    });
    let wanted = [format!("harbor.lan/team/app:latest@{}", digest())];
    assert_eq!(accepted(&hooks, "/hooks/it", &headers, &usual).await, wanted);
    let event = json!({
        "specversion": "1.0", "requestid": "1", "id": "66", "type": "harbor.artifact.pushed",
        "source": "/projects/2/webhook/policies/15", "datacontenttype": "application/json",
        "time": "2023-04-03T06:16:01Z", "data": data, "operator": "harbor-jobservice",
    });
    let headers = [("authorization", SECRET), ("content-type", "application/cloudevents+json")];
    assert_eq!(accepted(&hooks, "/hooks/it", &headers, &event).await, wanted);
    let mut scanned = usual.clone();
    scanned["type"] = "SCANNING_COMPLETED".into();
    assert!(ignored(&hooks, "/hooks/it", &headers[..1], &scanned).await.contains("SCANNING"));
}

#[tokio::test]
async fn quay_tells_of_all_tags_each_time() {
    let hooks = Hooks::of("quay", "");
    let path = format!("/hooks/it/{SECRET}");
    let body = json!({
        "name": "app", "repository": "team/app", "namespace": "team",
        "docker_url": "quay.io/team/app", "homepage": "https://quay.io/repository/team/app",
        "updated_tags": ["latest", "v1"],
    });
    let wanted = ["quay.io/team/app:latest", "quay.io/team/app:v1"];
    assert_eq!(accepted(&hooks, &path, &[], &body).await, wanted);
    // The same words again are another push.
    assert_eq!(accepted(&hooks, &path, &[], &body).await, wanted);
    let build = json!({"build_id": "1", "docker_url": "quay.io/team/app", "build_name": "x"});
    assert!(ignored(&hooks, &path, &[], &build).await.contains("Push to Repository"));
}

#[tokio::test]
async fn distribution_tells_of_manifests_among_blobs() {
    let hooks = Hooks::of("distribution", "");
    let authorization = format!("Bearer {SECRET}");
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/vnd.docker.distribution.events.v2+json"),
    ];
    let event = |id: &str, action: &str, kind: &str, tag: Option<&str>| {
        json!({
            "id": id, "timestamp": "2026-03-09T14:44:26.402973972-08:00", "action": action,
            "target": {
                "mediaType": kind, "size": 708, "length": 708, "digest": digest(), "tag": tag,
                "repository": "team/app", "url": "http://registry:5000/v2/team/app/manifests/x",
            },
            "request": {
                "id": "1", "addr": "192.168.64.11:42961", "host": "registry.lan:5000",
                "method": "PUT", "useragent": "skopeo",
            },
            "actor": {}, "source": { "addr": "xtal.local:53039", "instanceID": "2" },
        })
    };
    let oci = "application/vnd.oci.image.manifest.v1+json";
    let body = json!({ "events": [
        event("1", "push", "application/octet-stream", None),
        event("2", "push", oci, Some("latest")),
        event("3", "pull", oci, Some("latest")),
    ]});
    let wanted = [format!("registry.lan:5000/team/app:latest@{}", digest())];
    assert_eq!(accepted(&hooks, "/hooks/it", &headers, &body).await, wanted);
    // The registry knows itself by another name: the path counts.
    let mut other = json!({ "events": [event("4", "push", oci, Some("v1"))] });
    other["events"][0]["request"]["host"] = "registry.internal".into();
    let heard = accepted(&hooks, "/hooks/it", &headers, &other).await;
    assert!(heard.contains(&format!("registry.lan:5000/team/app:v1@{}", digest())), "{heard:?}");
    let pulls = json!({ "events": [event("5", "pull", oci, None)] });
    assert!(ignored(&hooks, "/hooks/it", &headers, &pulls).await.contains("none of 1"));
    let missing = malformed(&hooks, "/hooks/it", &headers, &json!({})).await;
    assert!(missing.contains("events"), "{missing}");
}

#[tokio::test]
async fn gitlab_tells_that_something_was_built() {
    let hooks = Hooks::of("gitlab", "");
    let headers = |event| [("x-gitlab-token", SECRET), ("x-gitlab-event", event)];
    let pipeline = |status: &str| {
        json!({
            "object_kind": "pipeline",
            "object_attributes": { "id": 31, "ref": "main", "status": status },
            "project": { "id": 1, "path_with_namespace": "team/app" },
        })
    };
    let wanted = ["ghcr.io/team/app", "registry.gitlab.com/team/app"];
    let hook = headers("Pipeline Hook");
    assert_eq!(accepted(&hooks, "/hooks/it", &hook, &pipeline("success")).await, wanted);
    assert!(ignored(&hooks, "/hooks/it", &hook, &pipeline("running")).await.contains("running"));
    let push = json!({"object_kind": "push"});
    assert!(ignored(&hooks, "/hooks/it", &headers("Push Hook"), &push).await.contains("Push Hook"));
    let job = json!({"object_kind": "build", "build_status": "success"});
    assert_eq!(accepted(&hooks, "/hooks/it", &headers("Job Hook"), &job).await, wanted);
}

#[tokio::test]
async fn gitea_and_forgejo_tell_of_packages() {
    let hooks = Hooks::of("forgejo", "");
    let body = json!({
        "action": "created",
        "package": {
            "id": 1, "owner": { "id": 1, "login": "team", "username": "team" },
            "repository": null, "creator": { "login": "someone" }, "type": "container",
            "name": "app", "version": "v1", "created_at": "2026-03-09T14:44:26Z",
            "html_url": "https://git.lan/team/-/packages/container/app/v1",
        },
        "sender": { "login": "someone" },
    });
    let signature = signature(&body.to_string());
    for (name, prefix) in [("forgejo", "1"), ("gitea", "2")] {
        let names = ["event", "delivery", "signature"].map(|end| format!("x-{name}-{end}"));
        let headers = [
            (names[0].as_str(), "package"),
            (names[1].as_str(), prefix),
            (names[2].as_str(), signature.as_str()),
        ];
        assert_eq!(accepted(&hooks, "/hooks/it", &headers, &body).await, ["git.lan/team/app:v1"]);
    }
}

#[tokio::test]
async fn acr_tells_of_a_push() {
    let hooks = Hooks::of("acr", "");
    let headers = [("authorization", SECRET)];
    let body = |action: &str| {
        json!({
            "id": format!("cb8c3971-9adc-488b-xxxx-{action}"), "timestamp": "2017-11-17T16:52:01.343145347Z",
            "action": action,
            "target": {
                "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "size": 524,
                "digest": digest(), "length": 524, "repository": "app", "tag": "v1",
            },
            "request": {
                "id": "3cbb6949", "host": "team.azurecr.io", "method": "PUT", "useragent": "docker",
            },
        })
    };
    let wanted = [format!("team.azurecr.io/app:v1@{}", digest())];
    assert_eq!(accepted(&hooks, "/hooks/it", &headers, &body("push")).await, wanted);
    assert!(ignored(&hooks, "/hooks/it", &headers, &body("delete")).await.contains("delete"));
    assert!(
        ignored(&hooks, "/hooks/it", &headers, &json!({"action": "ping"})).await.contains("ping")
    );
}

#[tokio::test]
async fn ecr_tells_by_eventbridge() {
    let hooks = Hooks::of("ecr", "");
    let headers = [("x-api-key", SECRET)];
    let body = |action: &str, result: &str| {
        json!({
            "version": "0", "id": format!("13cde686-{action}"), "detail-type": "ECR Image Action",
            "source": "aws.ecr", "account": "123456789012", "time": "2019-11-16T01:54:34Z",
            "region": "eu-west-3", "resources": [],
            "detail": {
                "result": result, "repository-name": "team/app", "image-digest": digest(),
                "action-type": action, "image-tag": "latest",
            },
        })
    };
    let wanted =
        [format!("123456789012.dkr.ecr.eu-west-3.amazonaws.com/team/app:latest@{}", digest())];
    assert_eq!(accepted(&hooks, "/hooks/it", &headers, &body("PUSH", "SUCCESS")).await, wanted);
    assert!(
        ignored(&hooks, "/hooks/it", &headers, &body("DELETE", "SUCCESS")).await.contains("DELETE")
    );
    assert!(
        ignored(&hooks, "/hooks/it", &headers, &body("PUSH", "FAILURE")).await.contains("FAILURE")
    );
}

#[tokio::test]
async fn artifact_registry_tells_by_pub_sub() {
    let hooks = Hooks::of("gar", ", proof: path");
    let path = format!("/hooks/it/{SECRET}");
    let message = |action: &str| {
        json!({
            "action": action,
            "digest": format!("us-docker.pkg.dev/project/repository/app@{}", digest()),
            "tag": "us-docker.pkg.dev/project/repository/app:v1",
        })
    };
    let wrapped = |id: &str, action: &str| {
        json!({
            "message": {
                "data": STANDARD.encode(message(action).to_string()), "messageId": id,
                "publishTime": "2026-01-01T00:00:00Z", "attributes": {},
            },
            "subscription": "projects/project/subscriptions/mercurious",
        })
    };
    let wanted = [format!("us-docker.pkg.dev/project/repository/app:v1@{}", digest())];
    assert_eq!(accepted(&hooks, &path, &[], &wrapped("1", "INSERT")).await, wanted);
    assert_eq!(accepted(&hooks, &path, &[], &message("INSERT")).await, wanted);
    assert!(ignored(&hooks, &path, &[], &wrapped("2", "DELETE")).await.contains("DELETE"));
    let broken = json!({"message": {"data": "%%", "messageId": "3"}});
    assert!(malformed(&hooks, &path, &[], &broken).await.contains("base64"));
}

#[tokio::test]
async fn cloud_events_come_structured_binary_and_batched() {
    let hooks = Hooks::of("cloudevents", "");
    let data = json!({"image": format!("ghcr.io/team/app:v1@{}", digest())});
    let event = |id: &str, kind: &str, data: &Value| {
        json!({
            "specversion": "1.0", "id": id, "source": "https://ci.lan", "type": kind,
            "datacontenttype": "application/json", "data": data,
        })
    };
    let wanted = [format!("ghcr.io/team/app:v1@{}", digest())];
    let structured = [("authorization", SECRET), ("content-type", "application/cloudevents+json")];
    let pushed = event("1", "lan.ci.image.pushed", &data);
    assert_eq!(accepted(&hooks, "/hooks/it", &structured, &pushed).await, wanted);
    let binary = [
        ("authorization", SECRET),
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-id", "2"),
        ("ce-source", "https://ci.lan"),
        ("ce-type", "lan.ci.image.pushed"),
    ];
    assert_eq!(accepted(&hooks, "/hooks/it", &binary, &data).await, wanted);
    let batched =
        [("authorization", SECRET), ("content-type", "application/cloudevents-batch+json")];
    let other = json!({"repository": "team/other", "registry": "https://ghcr.io", "tag": "v2"});
    let batch =
        json!([event("3", "a", &data), event("4", "b", &other), event("5", "c", &json!({}))]);
    let both = [wanted[0].clone(), "ghcr.io/team/other:v2".to_owned()];
    assert_eq!(accepted(&hooks, "/hooks/it", &batched, &batch).await, both);
    let nothing = ignored(&hooks, "/hooks/it", &structured, &event("6", "x", &json!({}))).await;
    assert!(nothing.contains("data.image"), "{nothing}");
    let missing = malformed(&hooks, "/hooks/it", &structured, &json!({"type": "x"})).await;
    assert!(missing.contains("source"), "{missing}");
}

#[tokio::test]
async fn cloud_events_of_cdevents_and_of_ecr_are_understood() {
    let hooks = Hooks::of("cloudevents", "");
    let headers = [("authorization", SECRET), ("content-type", "application/cloudevents+json")];
    let purl =
        format!("pkg:oci/app@sha256%3A{}?repository_url=ghcr.io/team/app&tag=v1", "ab".repeat(32));
    let event = |kind: &str, source: &str, data: &Value| {
        json!({
            "specversion": "1.0", "id": kind, "source": source, "type": kind,
            "subject": "team/app:v1", "data": data,
        })
    };
    let subject =
        json!({"context": {}, "subject": {"id": purl, "type": "artifact", "content": {}}});
    let published = event("dev.cdevents.artifact.published.0.2.0", "/event/source/123", &subject);
    let heard = accepted(&hooks, "/hooks/it", &headers, &published).await;
    assert_eq!(heard, [format!("ghcr.io/team/app:v1@{}", digest())]);
    let signed = event("dev.cdevents.artifact.signed.0.2.0", "/event/source/123", &subject);
    assert!(ignored(&hooks, "/hooks/it", &headers, &signed).await.contains("signed"));
    let source = "urn:aws:ecr:eu-west-3:123456789012:repository/team/app";
    let ecr = event("com.amazon.ecr.image.push", source, &json!({"imageDigest": digest()}));
    let heard = accepted(&hooks, "/hooks/it", &headers, &ecr).await;
    let place = "123456789012.dkr.ecr.eu-west-3.amazonaws.com/team/app:v1";
    assert_eq!(heard, [format!("{place}@{}", digest())]);
}

#[tokio::test]
async fn anybody_signs_as_flux_has_it() {
    let hooks = Hooks::new(
        "receivers: [{ name: it, type: generic-hmac, secret: { env: SECRET }, \
         repositories: [ghcr.io/team/app, ghcr.io/team/other, quay.io/team/*] }]",
    );
    let send = async |body: &str| {
        let signature = format!("sha256={}", signature(body));
        hooks.post("/hooks/it", &[("x-signature", &signature)], body.to_owned()).await
    };
    let (status, answer) = send(r#"{"image":"ghcr.io/team/app:v1"}"#).await;
    assert_eq!((status, &answer["repositories"]), (StatusCode::ACCEPTED, &json!(1)));
    assert_eq!(hooks.heard(), ["ghcr.io/team/app:v1"]);
    send(r#"{"repository":"quay.io/team/x","tag":"v2"}"#).await;
    assert_eq!(hooks.heard(), ["quay.io/team/x:v2"]);
    for anything in ["", "something happened", "{}"] {
        let (status, _) = send(anything).await;
        assert_eq!(status, StatusCode::ACCEPTED);
        assert_eq!(hooks.heard(), ["ghcr.io/team/app", "ghcr.io/team/other"]);
    }
    let (status, answer) = send(r#"{"image":"ghcr.io/team/App_:v1"}"#).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
}
