//! Credentials are found as the kubelet finds them, and what is wrong with them is told by name.

use anyhow::ensure;
use mercurious_cluster::Namespace;
use mercurious_trials::Image;
use tokio::process::Command;

use crate::{
    gate::{Gate, PASSWORD},
    stage::{Scene, tests},
};

tests![
    credentials_of_the_repository_the_pod_and_its_account_are_found_and_every_match_is_tried,
    wrong_and_missing_credentials_are_told_by_name_and_never_by_content,
];

/// Who follows the repository, and where a Secret is named.
struct Case {
    name: &'static str,
    /// Fields of the ImageRepository.
    repository: &'static str,
    /// Fields of the pod template.
    pod: &'static str,
}

async fn credentials_of_the_repository_the_pod_and_its_account_are_found_and_every_match_is_tried(
    scene: Scene,
) -> anyhow::Result<()> {
    let Some(place) = scene.cluster().facts().place.clone() else { return Ok(()) };
    let gate = Gate::open(scene.cluster().facts(), &place).await?;
    let namespace = scene.namespace("credentials").await?;
    let path = format!("{}/web", namespace.name());
    let digest = scene.cluster().images().push(&scene.program, &path, Image::good(1)).await?;
    let cases = [
        Case {
            name: "by-repository",
            repository: "secretRef: { name: right }",
            pod: "imagePullSecrets: [{ name: right }]",
        },
        Case {
            name: "by-its-account",
            repository: "serviceAccountName: puller",
            pod: "imagePullSecrets: [{ name: right }]",
        },
        Case {
            name: "by-pod",
            repository: "suspend: false",
            pod: "imagePullSecrets: [{ name: right }]",
        },
        Case {
            name: "by-account",
            repository: "suspend: false",
            pod: "serviceAccountName: puller",
        },
        // The one that has expired is tried, and then the other.
        Case {
            name: "by-another",
            repository: "suspend: false",
            pod: "imagePullSecrets: [{ name: expired }, { name: right }]",
        },
    ];
    let secrets = [
        gate.secret("right", PASSWORD),
        gate.secret("expired", "not-any-more"),
        "---\napiVersion: v1\nkind: ServiceAccount\nmetadata: { name: puller }\nimagePullSecrets: [{ name: right }]\n"
            .to_owned(),
    ];
    namespace.kubectl().apply(&secrets.concat()).await?;
    let image = gate.repository(&path);
    let manifests: String = cases.iter().map(|case| wish(case, &image)).collect();
    namespace.kubectl().apply(&manifests).await?;
    let said = sync(&scene, &namespace).await?;
    ensure!(said.0, "{}", said.1);
    for case in &cases {
        let get = format!(
            "get deployment {} --output=jsonpath={{..spec.template.spec.containers[0].image}}",
            case.name
        );
        let runs = namespace.kubectl().line(&get).await?;
        ensure!(runs.ends_with(&format!("@{digest}")), "{}: {runs}: {}", case.name, said.1);
        namespace
            .kubectl()
            .line(&format!("rollout status deployment/{} --timeout=120s", case.name))
            .await?;
    }
    gate.close().await;
    Ok(())
}

async fn wrong_and_missing_credentials_are_told_by_name_and_never_by_content(
    scene: Scene,
) -> anyhow::Result<()> {
    let Some(place) = scene.cluster().facts().place.clone() else { return Ok(()) };
    let gate = Gate::open(scene.cluster().facts(), &place).await?;
    let namespace = scene.namespace("refused").await?;
    let path = format!("{}/web", namespace.name());
    scene.cluster().images().push(&scene.program, &path, Image::good(1)).await?;
    const WRONG: &str = "swordfish-0815";
    let opaque = "---\napiVersion: v1\nkind: Secret\nmetadata: { name: opaque }\nstringData: { word: swordfish-0815 }\n";
    namespace.kubectl().apply(&(gate.secret("expired", WRONG) + opaque)).await?;
    let cases = [
        Case {
            name: "expired",
            repository: "secretRef: { name: expired }",
            pod: "automountServiceAccountToken: false",
        },
        Case {
            name: "missing",
            repository: "secretRef: { name: absent }",
            pod: "automountServiceAccountToken: false",
        },
        Case {
            name: "opaque",
            repository: "secretRef: { name: opaque }",
            pod: "automountServiceAccountToken: false",
        },
        Case {
            name: "nothing",
            repository: "suspend: false",
            pod: "automountServiceAccountToken: false",
        },
    ];
    let image = gate.repository(&path);
    let manifests: String = cases.iter().map(|case| wish(case, &image)).collect();
    namespace.kubectl().apply(&manifests).await?;
    let (succeeded, said) = sync(&scene, &namespace).await?;
    ensure!(!succeeded, "it found a way in: {said}");
    let own = namespace.name();
    for (name, reason, wanted) in [
        ("expired", "ReadOperationFailed", format!("{own}/expired")),
        ("missing", "AuthenticationFailed", format!("there is no Secret {own}/absent")),
        ("opaque", "AuthenticationFailed", format!("Secret {own}/opaque is of type Opaque")),
        ("nothing", "ReadOperationFailed", "401".to_owned()),
    ] {
        let get = format!(
            "get imagerepository {name} --output=jsonpath={{.status.conditions[?(@.type==\"Ready\")]}}"
        );
        let ready = namespace.kubectl().run(&get.splitn(4, ' ').collect::<Vec<_>>()).await?;
        ensure!(ready.contains(reason) && ready.contains(&wanted), "{name}: {ready}");
        ensure!(said.contains(&format!("{own}/{name}")), "{name} is not in: {said}");
    }
    let all =
        namespace.kubectl().line("get imagerepositories,autodeploys,events --output=yaml").await?;
    for content in [WRONG, PASSWORD] {
        ensure!(!said.contains(content) && !all.contains(content), "the password was told");
    }
    gate.close().await;
    Ok(())
}

/// One pass, and what it said.
async fn sync(scene: &Scene, namespace: &Namespace) -> anyhow::Result<(bool, String)> {
    let output = Command::from(scene.engine.command())
        .args(["sync", "--namespace", namespace.name(), "--lease", "mercurious", "--kubeconfig"])
        .arg(&scene.cluster().facts().kubeconfig)
        .kill_on_drop(true)
        .output()
        .await?;
    let said =
        [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    Ok((output.status.success(), said.concat()))
}

fn wish(case: &Case, image: &str) -> String {
    let Case { name, repository, pod } = case;
    format!(
        "---
apiVersion: apps/v1
kind: Deployment
metadata: {{ name: {name} }}
spec:
  selector: {{ matchLabels: {{ app: {name} }} }}
  template:
    metadata: {{ labels: {{ app: {name} }} }}
    spec:
      {pod}
      containers:
        - name: app
          image: '{image}:latest'
          imagePullPolicy: Always
          readinessProbe: {{ httpGet: {{ path: /ready, port: 8080 }}, periodSeconds: 1 }}
---
apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImageRepository
metadata: {{ name: {name} }}
spec:
  image: '{image}'
  interval: 1m0s
  insecure: true
  {repository}
---
apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImagePolicy
metadata: {{ name: {name} }}
spec:
  imageRepositoryRef: {{ name: {name} }}
  policy: {{ alphabetical: {{ order: desc }} }}
  filterTags: {{ pattern: '^sha-[a-f0-9]+$', extract: '$0' }}
---
apiVersion: mercurious.dev/v1alpha1
kind: AutoDeploy
metadata: {{ name: {name} }}
spec:
  target: {{ name: {name} }}
  policyRef: {{ name: {name} }}
  rollout: {{ timeout: 60s, bake: 1s }}
"
    )
}
