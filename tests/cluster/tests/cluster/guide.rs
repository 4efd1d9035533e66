//! The operator's guide as it stands: its YAML, its CronJob with its own account, its commands.

use anyhow::ensure;
use mercurious_cluster::Namespace;
use mercurious_load::{Load, LoadSettings};
use mercurious_trials::{Chance, Image};

use crate::{
    example::answers,
    install::deploy,
    stage::{Scene, tests},
};

tests![the_guides_platform_deploys_the_hash_pushed_last_by_its_cron_job];

const SERVICES: [&str; 3] = ["api-gateway", "api-enrichment", "api-generation"];

async fn the_guides_platform_deploys_the_hash_pushed_last_by_its_cron_job(
    scene: Scene,
) -> anyhow::Result<()> {
    let (cluster, kubectl) = (scene.cluster(), scene.cluster().kubectl());
    // Its manifests name ghcr.io: only nodes of ours have a mirror for that.
    if cluster.facts().place.is_none() {
        return Ok(());
    }
    let images = cluster.images();
    let mut chance = Chance::new();
    for service in SERVICES {
        for number in 0..if service == "api-gateway" { 100 } else { 3 } {
            let version = format!("{service}-{number}-{}", chance.number(0..u64::MAX));
            let image = Image { version, ..Image::good(number) };
            images.push(&scene.program, &format!("team-mercurious/{service}"), image).await?;
        }
    }
    let program = "team-mercurious/mercurious";
    images.publish(&scene.program, scene.engine.path(), program, &["--tag", "0.1.0"]).await?;

    let app = Namespace::existing(cluster, "app");
    secrets(&scene).await?;
    // The scheduled runs stay away while this test makes its own.
    let guide = deploy("guide").display().to_string();
    kubectl.line(&format!("apply --server-side -k {guide}")).await?;
    let mirror = format!("MERCURIOUS_REGISTRY_MIRROR=ghcr.io=http://{}", cluster.facts().registry);
    app.kubectl()
        .line("patch cronjob auto-deploy --type=merge --patch={\"spec\":{\"suspend\":true}}")
        .await?;
    app.kubectl().line(&format!("set env cronjob/auto-deploy {mirror}")).await?;
    for service in SERVICES {
        app.kubectl().line(&format!("rollout status deployment/{service} --timeout=120s")).await?;
    }
    run(&app, "first").await?;

    let node_port = "expose deployment api-gateway --name=api-gateway-node --type=NodePort --port=80 --target-port=8080";
    app.kubectl().line(node_port).await?;
    let service = app.kubectl().json("get service api-gateway-node").await?;
    let url =
        format!("http://{}:{}/", cluster.facts().node, service["spec"]["ports"][0]["nodePort"]);
    answers(&url, "api-gateway").await?;
    let load = Load::start(&url, LoadSettings::default())?;
    let newest = Image { version: "the-newest".to_owned(), ..Image::good(100) };
    let commit = newest.commit();
    let digest = images.push(&scene.program, "team-mercurious/api-gateway", newest).await?;
    run(&app, "second").await?;
    let report = load.stop().await;
    ensure!(
        report.failed == 0,
        "{} of {} failed: {:?}",
        report.failed,
        report.sent,
        report.failures
    );

    let wanted = format!("ghcr.io/team-mercurious/api-gateway:sha-{commit}@{digest}");
    let wide = app.kubectl().line("get deployments --output=wide").await?;
    ensure!(wide.contains(&wanted), "{wanted} is not in:\n{wide}");
    let logs = app.kubectl().line("logs -l job-name --tail=20").await?;
    ensure!(logs.contains("app/api-gateway"), "the guide's log command shows:\n{logs}");
    let silent = run(&app, "third").await?;
    ensure!(silent.is_empty(), "a run with nothing to do said:\n{silent}");
    objects_are_kept(&scene, &commit).await?;
    the_other_flavour(&scene, &app, &mirror).await?;
    app.kubectl().line("delete service api-gateway-node").await?;
    app.kubectl().line("scale deployment --all --replicas=0").await?;
    Ok(())
}

/// What the guide's page looks at.
async fn objects_are_kept(scene: &Scene, commit: &str) -> anyhow::Result<()> {
    let flux = Namespace::existing(scene.cluster(), "flux-system");
    // A hundred, the newest, and latest.
    let repositories = flux.kubectl().line("get imagerepository").await?;
    let row = repositories.lines().find(|line| line.starts_with("api-gateway"));
    let row = row.unwrap_or_default();
    ensure!(row.contains(" 102 ") && row.contains("True"), "{repositories}");
    let policies = flux.kubectl().line("get imagepolicy").await?;
    let row = policies.lines().find(|line| line.starts_with("api-gateway"));
    ensure!(row.is_some_and(|row| row.contains(&format!("sha-{commit}"))), "{policies}");
    Ok(())
}

/// The controller in the place of the CronJob, with its own account: it deploys, and keeps the image objects.
async fn the_other_flavour(scene: &Scene, app: &Namespace, mirror: &str) -> anyhow::Result<()> {
    let flavour = deploy("mercurious/controller").display().to_string();
    scene.cluster().kubectl().line(&format!("apply --server-side -k {flavour}")).await?;
    app.kubectl().line(&format!("set env deployment/mercurious {mirror}")).await?;
    app.kubectl().line("rollout status deployment/mercurious --timeout=120s").await?;
    let newest = Image { version: "newer-still".to_owned(), ..Image::good(101) };
    let tag = format!("sha-{}", newest.commit());
    let images = scene.cluster().images();
    let digest = images.push(&scene.program, "team-mercurious/api-gateway", newest).await?;
    let annotate = "annotate imagerepository api-gateway --namespace=flux-system \
                    image.toolkit.fluxcd.io/reconcile=1 --overwrite";
    app.kubectl().line(annotate).await?;
    let ran = "get autodeploy api-gateway --output=jsonpath={.status.history[0].release.digest}";
    app.until("the controller's rollout", ran, |said| *said == digest.to_string()).await?;
    let flux = Namespace::existing(scene.cluster(), "flux-system");
    let told = "get imagepolicy api-gateway --output=jsonpath={.status.latestRef.tag}";
    flux.until("the policy's status", told, |said| said == tag).await?;
    let logs = app
        .kubectl()
        .line("logs --selector=app.kubernetes.io/component=controller --tail=-1")
        .await?;
    ensure!(!logs.contains("refuses"), "it lacks a right:\n{logs}");
    let last = "get autodeploy api-gateway --output=jsonpath={.status.decision.reason}";
    app.until("the last decision", last, |said| said == "Succeeded").await?;
    for kind in ["Deployment", "AutoDeploy"] {
        let field = format!(
            "get events --field-selector=involvedObject.kind={kind},reason=Succeeded --output=json"
        );
        let events: serde_json::Value = serde_json::from_str(&app.kubectl().line(&field).await?)?;
        let ours = events["items"].as_array().into_iter().flatten().filter(|event| {
            event["message"].as_str().is_some_and(|said| said.contains(&tag[..11]))
        });
        ensure!(ours.count() == 1, "{kind}: {events}");
    }
    Ok(())
}

/// A run of the CronJob now; what it said.
async fn run(app: &Namespace, name: &str) -> anyhow::Result<String> {
    let kubectl = app.kubectl();
    kubectl.line(&format!("create job {name} --from=cronjob/auto-deploy")).await?;
    let state = format!("get job {name} --output=jsonpath={{.status.conditions[*].type}}");
    let ended = app.until("the run's end", &state, |said| {
        said.contains("Complete") || said.contains("Failed")
    });
    let ended = ended.await?;
    let said = kubectl.line(&format!("logs job/{name}")).await?;
    ensure!(ended.contains("Complete"), "the run failed ({ended}):\n{said}\n{}", app.dump().await);
    Ok(said)
}

/// Those that the guide's page lists, with nothing worth keeping in them.
async fn secrets(scene: &Scene) -> anyhow::Result<()> {
    // base64 of {"auths":{}}
    const NOBODY: &str = "eyJhdXRocyI6e319";
    let kubectl = scene.cluster().kubectl();
    let mut manifests = String::new();
    for namespace in ["app", "flux-system"] {
        manifests += &format!(
            "---\napiVersion: v1\nkind: Secret\nmetadata: {{ name: ghcr-secret, namespace: {namespace} }}\n\
             type: kubernetes.io/dockerconfigjson\ndata: {{ .dockerconfigjson: {NOBODY} }}\n"
        );
    }
    for name in ["kafka-sasl", "app-common-secrets"] {
        manifests += &format!(
            "---\napiVersion: v1\nkind: Secret\nmetadata: {{ name: {name}, namespace: app }}\n"
        );
    }
    kubectl.apply(&manifests).await?;
    Ok(())
}
