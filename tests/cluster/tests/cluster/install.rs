//! `deploy/` as a real API server sees it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use mercurious_cluster::Kubectl;

use crate::stage::{Scene, tests};

tests![
    the_api_server_takes_every_manifest_and_no_pod_violates_the_restricted_standard,
    the_api_server_refuses_what_means_nothing_and_says_why,
    the_accounts_may_do_what_the_snapshot_says_and_nothing_else,
];

/// What people apply; each with the account that it brings.
const FLAVOURS: [(&str, &str); 2] =
    [("mercurious/controller", "mercurious"), ("mercurious/cronjob", "auto-deploy")];

pub(crate) fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(path)
}

/// The namespaces and kinds that everything else needs.
pub(crate) async fn ground(kubectl: &Kubectl) -> anyhow::Result<()> {
    for namespace in ["app", "flux-system"] {
        let manifest = format!(
            "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {namespace}\n  \
             labels: {{ pod-security.kubernetes.io/warn: restricted }}\n"
        );
        kubectl.run_with(&["apply", "--server-side", "-f", "-"], &manifest).await?;
    }
    for kinds in ["mercurious/crds", "mercurious/crds/images"] {
        let kinds = deploy(kinds).display().to_string();
        kubectl.line(&format!("apply --server-side -k {kinds}")).await?;
    }
    kubectl.line("wait --for=condition=Established crd --all --timeout=60s").await?;
    Ok(())
}

async fn the_api_server_takes_every_manifest_and_no_pod_violates_the_restricted_standard(
    scene: Scene,
) -> anyhow::Result<()> {
    let kubectl = scene.cluster().kubectl();
    for build in ["mercurious/controller", "mercurious/cronjob", "guide"] {
        let manifests = kubectl.line(&format!("kustomize {}", deploy(build).display())).await?;
        let arguments =
            ["apply", "--server-side", "--dry-run=server", "--warnings-as-errors", "-f", "-"];
        let said = kubectl.run_with(&arguments, &manifests).await?;
        let objects = manifests.lines().filter(|line| line.starts_with("kind:")).count();
        ensure!(said.lines().count() == objects, "{build}: {said}");
    }
    Ok(())
}

/// An AutoDeploy that names everything once.
const WISH: &str = "
apiVersion: mercurious.dev/v1alpha1
kind: AutoDeploy
metadata: {name: web, namespace: default}
spec:
  target: {name: web}
  policyRef: {name: web}
  rollout: {timeout: 5m, bake: 0s}
  checks: [{name: page, period: 1s, http: {url: http://web.default.svc/, timeout: 2s}}]
";

async fn the_api_server_refuses_what_means_nothing_and_says_why(
    scene: Scene,
) -> anyhow::Result<()> {
    let kubectl = scene.cluster().kubectl();
    let arguments = ["apply", "--server-side", "--dry-run=server", "-f", "-"];
    kubectl.run_with(&arguments, WISH).await?;
    let limit = "must be longer than 0s";
    for (from, to, why) in [
        ("timeout: 5m", "timeout: 0s", limit),
        ("period: 1s", "period: 0ms", limit),
        ("timeout: 2s", "timeout: 0h0s", limit),
        ("timeout: 5m", "timeout: five", "should match"),
        (
            "http: {url: http://web.default.svc/, timeout: 2s}",
            "failureThreshold: 2",
            "set http or logs",
        ),
        ("url: http://web.default.svc/", "url: web/ready", "a URL with http:// or https://"),
        ("target: {name: web}", "target: {name: web, kind: StatefulSet}", "Unsupported value"),
        ("bake: 0s}", "bake: 0s, soak: 1m}", "soak"),
    ] {
        ensure!(WISH.contains(from), "{from}");
        let refused = kubectl.run_with(&arguments, &WISH.replacen(from, to, 1)).await;
        let said = refused.err().with_context(|| format!("{to} was taken"))?;
        ensure!(format!("{said:#}").contains(why), "{to}: {said:#}");
    }
    Ok(())
}

async fn the_accounts_may_do_what_the_snapshot_says_and_nothing_else(
    scene: Scene,
) -> anyhow::Result<()> {
    let kubectl = scene.cluster().kubectl();
    let mut all = String::new();
    for (flavour, account) in FLAVOURS {
        let access = deploy("mercurious/access").display().to_string();
        kubectl.line(&format!("apply --server-side -k {access}")).await?;
        for file in ["service-account.yaml", "bindings.yaml"] {
            let file = deploy(flavour).join(file).display().to_string();
            kubectl.line(&format!("apply --server-side -f {file}")).await?;
        }
        for namespace in ["app", "flux-system", "default"] {
            let user = format!("system:serviceaccount:app:{account}");
            let list = format!("auth can-i --list --namespace={namespace} --as={user}");
            let rules = kubectl.line(&list).await?;
            all += &format!("{account} in {namespace}\n{}\n", own(&rules));
        }
        for (verb, what) in [
            ("list", "secrets"),
            ("watch", "secrets"),
            ("get", "secrets/another"),
            ("patch", "deployments/another"),
            ("delete", "deployments/api-gateway"),
            ("create", "pods"),
            ("create", "pods/exec"),
            ("create", "rolebindings"),
        ] {
            let question = format!(
                "auth can-i {verb} {what} --namespace=app --as=system:serviceaccount:app:{account}"
            );
            // The answer "no" is a failure.
            ensure!(kubectl.line(&question).await.is_err(), "{account} may {verb} {what}");
        }
    }
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("what_the_accounts_may_do", all);
    });
    Ok(())
}

/// Without what every account may: to ask what it may, and to read what the API offers.
fn own(rules: &str) -> String {
    let everybody = [
        "selfsubject",
        "/api",
        "/healthz",
        "/livez",
        "/openapi",
        "/openid",
        "/readyz",
        "/version",
        "/.well-known",
    ];
    let lines = rules.lines().filter(|line| !everybody.iter().any(|word| line.contains(word)));
    let mut rows: Vec<String> =
        lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    rows.sort();
    rows.iter()
        .filter(|row| !row.starts_with("Resources"))
        .map(|row| format!("  {row}\n"))
        .collect()
}
