//! Credentials are found as the kubelet finds them, and what is wrong with them is told by name.

use anyhow::ensure;
use mercurious_cluster::Namespace;
use mercurious_trials::Image;
use tokio::process::Command;

use crate::{
    gate::{Gate, PASSWORD},
    stage::{Scene, tests},
    vault::{self, Vault},
};

tests![
    credentials_of_the_repository_the_pod_and_its_account_are_found_and_every_match_is_tried,
    wrong_and_missing_credentials_are_told_by_name_and_never_by_content,
    certificates_and_a_proxy_are_those_of_the_secrets_that_the_repository_names,
];

/// Who follows the repository, and where a Secret is named.
struct Case<'a> {
    name: &'static str,
    /// Fields of the ImageRepository.
    repository: &'a str,
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
    const WRONG: &str = "swordfish-0815";
    let Some(place) = scene.cluster().facts().place.clone() else { return Ok(()) };
    let gate = Gate::open(scene.cluster().facts(), &place).await?;
    let namespace = scene.namespace("refused").await?;
    let path = format!("{}/web", namespace.name());
    scene.cluster().images().push(&scene.program, &path, Image::good(1)).await?;
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

/// A registry that no name server knows, behind a proxy with a password, with a certificate of nobody's authority, that
/// asks for ours: what it takes stands in two Secrets, and a third has it wrong.
async fn certificates_and_a_proxy_are_those_of_the_secrets_that_the_repository_names(
    scene: Scene,
) -> anyhow::Result<()> {
    let vault = Vault::open(scene.cluster().facts()).await?;
    let namespace = scene.namespace("vault").await?;
    let path = format!("{}/web", namespace.name());
    let digest = scene.cluster().images().push(&scene.program, &path, Image::good(1)).await?;
    namespace.kubectl().apply(&vault.secrets()).await?;
    let (certificates, proxy) =
        ("certSecretRef: { name: certificates }", "proxySecretRef: { name: proxy }");
    let image = format!("{}/{path}", vault::HOST);
    let manifests: String = [
        ("both", format!("{certificates}\n  {proxy}")),
        ("no-certificates", proxy.to_owned()),
        ("no-proxy", certificates.to_owned()),
        ("wrong-password", format!("{certificates}\n  proxySecretRef: {{ name: wrong }}")),
    ]
    .into_iter()
    .map(|(name, repository)| {
        let case =
            Case { name, repository: &repository, pod: "automountServiceAccountToken: false" };
        wish(&case, &image)
            .replace("insecure: true", "insecure: false")
            .replace("spec:\n  selector", "spec:\n  replicas: 0\n  selector")
    })
    .collect();
    namespace.kubectl().apply(&manifests).await?;
    let (succeeded, said) = sync(&scene, &namespace).await?;
    ensure!(!succeeded, "all of them found a way in: {said}");
    let get = "get deployments --output=jsonpath={range .items[*]}{.metadata.name}={..spec.containers[0].image};{end}";
    let runs = namespace.kubectl().run(&get.splitn(3, ' ').collect::<Vec<_>>()).await?;
    ensure!(runs.contains(&format!("@{digest}")), "the vault stayed shut: {runs}: {said}");
    ensure!(runs.matches('@').count() == 1, "one way in is enough: {runs}");
    ensure!(vault.passed() > 0, "nobody asked the proxy");
    for name in ["no-certificates", "no-proxy", "wrong-password"] {
        ensure!(said.contains(&format!("{}/{name}", namespace.name())), "{name} is not in: {said}");
    }
    let all =
        namespace.kubectl().line("get imagerepositories,autodeploys,events --output=yaml").await?;
    ensure!(
        !said.contains(vault::PASSWORD) && !all.contains(vault::PASSWORD),
        "the password was told"
    );
    vault.close().await;
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

fn wish(case: &Case<'_>, image: &str) -> String {
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
