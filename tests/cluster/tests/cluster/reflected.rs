//! Image objects without Flux: what its controller would write, `mercurious` writes.

use anyhow::{Context as _, ensure};
use mercurious_cluster::Namespace;
use mercurious_runtime::{Clock as _, SystemClock};
use mercurious_trials::Image;
use serde_json::Value;
use tokio::process::Command;

use crate::{
    controlled::Controller,
    stage::{Scene, tests},
};

tests![
    image_objects_say_what_flux_would_say_and_both_annotations_ask_for_a_look,
    a_repository_lets_in_namespaces_by_their_labels_and_no_others,
    while_flux_is_at_work_its_objects_are_left_alone,
];

/// What `kubectl get` shows of an object.
async fn shown(namespace: &Namespace, what: &str) -> anyhow::Result<Value> {
    Ok(namespace.kubectl().json(&format!("get {what}")).await?)
}

fn ready(object: &Value) -> String {
    let conditions = object["status"]["conditions"].as_array();
    let ready = conditions.into_iter().flatten().find(|it| it["type"] == "Ready");
    ready.map_or_else(String::new, |ready| {
        ["status", "reason", "message"].map(|key| ready[key].as_str().unwrap_or_default()).join(" ")
    })
}

/// Waits until `Ready` of an object begins so.
async fn says(namespace: &Namespace, what: &str, begins: &str) -> anyhow::Result<Value> {
    let get = format!("get {what} --output=json");
    let said = namespace.until(begins, &get, |said| {
        serde_json::from_str(said).is_ok_and(|object| ready(&object).starts_with(begins))
    });
    Ok(serde_json::from_str(&said.await?)?)
}

fn repository(name: &str, image: &str, more: &str) -> String {
    format!(
        "---
apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImageRepository
metadata: {{ name: {name}, finalizers: [finalizers.fluxcd.io] }}
spec:
  image: '{image}'
  interval: 1h
  insecure: true
{more}"
    )
}

fn policy(name: &str, repository: &str, spec: &str) -> String {
    format!(
        "---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {{ name: {name} }}
spec:
  imageRepositoryRef: {repository}
{spec}"
    )
}

const HASHES: &str = "  policy: { alphabetical: { order: desc } }
  filterTags: { pattern: '^sha-[a-f0-9]+$', extract: '$0' }
";

async fn image_objects_say_what_flux_would_say_and_both_annotations_ask_for_a_look(
    scene: Scene,
) -> anyhow::Result<()> {
    let namespace = scene.namespace("reflected").await?;
    let path = format!("{}/web", namespace.name());
    let images = scene.cluster().images();
    images.push(&scene.program, &path, Image::good(1)).await?;
    let image = images.pulled(&path);
    let manifests = [
        repository("web", &image, ""),
        repository("bad", &format!("{image}:v1"), ""),
        repository("absent", &images.pulled("nobody/nothing"), ""),
        repository("locked", &image, "  secretRef: { name: not-there }\n"),
        repository("asleep", &image, "  suspend: true\n"),
        policy("web", "{ name: web }", HASHES),
        policy(
            "pinned",
            "{ name: web }",
            &format!("{HASHES}  digestReflectionPolicy: IfNotPresent\n"),
        ),
        policy("lost", "{ name: nowhere }", HASHES),
        policy("nothing", "{ name: web }", "  policy: { semver: { range: '>=1.0.0' } }\n"),
        policy("broken", "{ name: web }", "  policy: { semver: { range: 'x1' } }\n"),
        policy("wrong", "{ name: bad }", HASHES),
        policy("empty", "{ name: absent }", HASHES),
    ]
    .concat();
    namespace.kubectl().apply(&manifests).await?;
    let controller = Controller::start(&scene, &[&namespace], &[]).await?;

    // Two tags: the commit's and latest.
    let found = "True Succeeded successful scan: found 2 tags with checksum ";
    let web = says(&namespace, "imagerepository web", found).await?;
    let status = &web["status"];
    ensure!(status["lastScanResult"]["tagCount"] == 2, "{status}");
    ensure!(status["observedGeneration"] == web["metadata"]["generation"], "{status}");
    ensure!(status["canonicalImageName"] == image, "{status}");
    ensure!(status["observedExclusionList"][0] == r"^.*\.sig$", "{status}");
    let conditions = status["conditions"].as_array().context("no conditions")?;
    ensure!(
        conditions.iter().all(|it| it["observedGeneration"] == web["metadata"]["generation"]),
        "{status}"
    );
    let tag = format!("sha-{}", Image::good(1).commit());
    for (what, begins) in [
        ("imagerepository bad", "False ImageURLInvalid image '"),
        ("imagerepository absent", "False ReadOperationFailed scan failed: "),
        (
            "imagerepository locked",
            "False AuthenticationFailed failed to configure authentication options: ",
        ),
        (
            "imagepolicy lost",
            "False DependencyNotReady failed to get the referred ImageRepository: ",
        ),
        ("imagepolicy nothing", "False Failure "),
        ("imagepolicy broken", "False InvalidPolicy invalid policy: "),
        ("imagepolicy wrong", "False ImageURLInvalid image '"),
        ("imagepolicy empty", "False DependencyNotReady no tags are known"),
        (
            "imagepolicy web",
            &format!("True Succeeded Latest image tag for {image} resolved to {tag}"),
        ),
        (
            "imagepolicy pinned",
            &format!(
                "True Succeeded Latest image tag for {image} resolved to {tag} with digest sha256:"
            ),
        ),
    ] {
        says(&namespace, what, begins).await?;
    }
    ensure!(
        ready(&shown(&namespace, "imagerepository asleep").await?).is_empty(),
        "it is suspended"
    );
    let policy = shown(&namespace, "imagepolicy web").await?;
    ensure!(policy["status"]["latestImage"] == format!("{image}:{tag}"), "{policy}");
    ensure!(policy["status"]["latestRef"]["tag"] == tag, "{policy}");

    // What the guide's page shows.
    let table = namespace.kubectl().line("get imagerepository,imagepolicy").await?;
    for wanted in ["TAGS", "READY", "LATESTIMAGE", &tag, "successful scan: found 2 tags"] {
        ensure!(table.contains(wanted), "{wanted} is not in:\n{table}");
    }
    let described = namespace.kubectl().line("describe imagerepository bad").await?;
    ensure!(described.contains("ImageURLInvalid"), "{described}");
    let events = "get events --field-selector=involvedObject.kind=ImagePolicy";
    namespace.until("an Event", events, |said| said.contains("Latest image tag for")).await?;

    // Both annotations ask for a look; the interval is an hour.
    let first = policy["status"]["latestRef"].clone();
    for (number, key) in
        [(2, "reconcile.fluxcd.io/requestedAt"), (3, "image.toolkit.fluxcd.io/reconcile")]
    {
        let newest = Image::good(number);
        let tag = format!("sha-{}", newest.commit());
        images.push(&scene.program, &path, newest).await?;
        let annotate = format!("annotate imagerepository web {key}=now-{number} --overwrite");
        namespace.kubectl().line(&annotate).await?;
        let resolved =
            format!("True Succeeded Latest image tag for {image} resolved to {tag} (prev");
        let policy = says(&namespace, "imagepolicy web", &resolved).await?;
        let count = format!("True Succeeded successful scan: found {} tags", number + 1);
        says(&namespace, "imagerepository web", &count).await?;
        if number == 2 {
            ensure!(policy["status"]["observedPreviousRef"] == first, "{policy}");
            let handled =
                "get imagerepository web --output=jsonpath={.status.lastHandledReconcileAt}";
            namespace.until("the token", handled, |said| said == "now-2").await?;
        }
    }

    // Nothing to do is silent: no write until something else happens.
    let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
    let before = version(&shown(&namespace, "imagerepository web").await?);
    namespace.kubectl().line("annotate imagepolicy web reconcile.fluxcd.io/requestedAt=p1").await?;
    let handled = "get imagepolicy web --output=jsonpath={.status.lastHandledReconcileAt}";
    namespace.until("the policy's token", handled, |said| said == "p1").await?;
    ensure!(version(&shown(&namespace, "imagerepository web").await?) == before, "it was written");

    // Flux's finalizer keeps nothing.
    let names = "imagerepository web bad absent locked asleep";
    namespace.kubectl().line(&format!("delete {names} --timeout=60s")).await?;
    says(&namespace, "imagepolicy web", "False DependencyNotReady").await?;
    controller.end().await
}

async fn a_repository_lets_in_namespaces_by_their_labels_and_no_others(
    scene: Scene,
) -> anyhow::Result<()> {
    let (own, other) = (scene.namespace("lets-in").await?, scene.namespace("let-in").await?);
    let path = format!("{}/web", own.name());
    let images = scene.cluster().images();
    images.push(&scene.program, &path, Image::good(1)).await?;
    let access = "  accessFrom: { namespaceSelectors: [{ matchLabels: { team: blue } }] }\n";
    let manifests = [
        repository("web", &images.pulled(&path), access),
        repository("shut", &images.pulled(&path), ""),
    ];
    own.kubectl().apply(&manifests.concat()).await?;
    let refer = |name: &str| format!("{{ name: {name}, namespace: {} }}", own.name());
    let policies =
        [policy("web", &refer("web"), HASHES), policy("shut", &refer("shut"), HASHES)].concat();
    other.kubectl().apply(&policies).await?;
    let controller = Controller::start(&scene, &[&own, &other], &[]).await?;
    let denied = "False AccessDenied failed to get the referred ImageRepository: access denied: ";
    let mismatch =
        format!("{denied}'{}/web' can't be accessed due to ACL labels mismatch", own.name());
    says(&other, "imagepolicy web", &mismatch).await?;
    let missing = format!("{denied}'{}/shut' can't be accessed due to missing ACL", own.name());
    says(&other, "imagepolicy shut", &missing).await?;
    // Namespaces are not watched: it is asked again after a while.
    let label = format!("label namespace {} team=blue", other.name());
    scene.cluster().kubectl().line(&label).await?;
    says(&other, "imagepolicy web", "True Succeeded").await?;
    controller.end().await
}

async fn while_flux_is_at_work_its_objects_are_left_alone(scene: Scene) -> anyhow::Result<()> {
    let namespace = scene.namespace("flux").await?;
    let path = format!("{}/web", namespace.name());
    let images = scene.cluster().images();
    for number in 1..=3 {
        images.push(&scene.program, &path, Image::good(number)).await?;
    }
    // The alphabet's choice, which is not the newest of these.
    let tags = [1, 2, 3].map(|number| format!("sha-{}", Image::good(number).commit()));
    let smallest = tags.iter().min().context("no tags")?.clone();
    ensure!(smallest != tags[2], "the newest of these is the alphabet's own: take others");
    let image = images.pulled(&path);
    // No replica: what is chosen is looked at, and nothing runs.
    let follower = format!(
        "---
apiVersion: apps/v1
kind: Deployment
metadata: {{ name: web }}
spec:
  replicas: 0
  selector: {{ matchLabels: {{ app: web }} }}
  template:
    metadata: {{ labels: {{ app: web }} }}
    spec: {{ containers: [{{ name: app, image: '{image}:none' }}] }}
---
apiVersion: mercurious.dev/v1alpha1
kind: AutoDeploy
metadata: {{ name: web }}
spec: {{ target: {{ name: web }}, policyRef: {{ name: web }}, rollout: {{ bake: 1s }} }}
"
    );
    let manifests =
        [repository("web", &image, ""), policy("web", "{ name: web }", HASHES), follower].concat();
    namespace.kubectl().apply(&manifests).await?;
    lease(&namespace, 3600).await?;
    let status =
        format!("{{\"status\":{{\"latestRef\":{{\"name\":\"{image}\",\"tag\":\"{smallest}\"}}}}}}");
    let patch =
        ["patch", "imagepolicy", "web", "--subresource=status", "--type=merge", "--patch", &status];
    namespace.kubectl().run(&patch).await?;
    let before = shown(&namespace, "imagepolicy web").await?;

    let flux = ["--flux-namespace", namespace.name()];
    let controller = Controller::start(&scene, &[&namespace], &flux).await?;
    controller.says("leaves image objects alone").await?;
    let events = "get events --field-selector=involvedObject.kind=ImagePolicy,reason=Diverges";
    namespace.until("the Event", events, |said| said.contains(&smallest)).await?;
    let runs = "get deployment web --output=jsonpath={..spec.template.spec.containers[0].image}";
    namespace.until("the newest image", runs, |said| said.contains(&tags[2])).await?;
    let after = shown(&namespace, "imagepolicy web").await?;
    ensure!(before["status"] == after["status"], "{after}");
    let explain = Command::from(scene.engine.command())
        .args(["explain", "web", "--namespace", namespace.name(), "--kubeconfig"])
        .arg(&scene.cluster().facts().kubeconfig)
        .output()
        .await?;
    let explained = String::from_utf8_lossy(&explain.stdout).into_owned();
    for wanted in
        [format!("says {smallest}; the newest is {}", tags[2]), "readinessProbe".to_owned()]
    {
        ensure!(explained.contains(&wanted), "{wanted} is not in:\n{explained}");
    }

    // It is gone: what it kept is kept here.
    namespace.kubectl().line("delete lease image-reflector-controller-leader-election").await?;
    let newest = format!("True Succeeded Latest image tag for {image} resolved to {}", tags[2]);
    says(&namespace, "imagepolicy web", &newest).await?;
    controller.end().await
}

/// Flux's own Lease, as it holds it.
async fn lease(namespace: &Namespace, seconds: u32) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let lease = format!(
        "apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {{ name: image-reflector-controller-leader-election }}
spec: {{ holderIdentity: flux-1, leaseDurationSeconds: {seconds}, renewTime: '{now:.6}' }}
"
    );
    namespace.kubectl().apply(&lease).await?;
    Ok(())
}
