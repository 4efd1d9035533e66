use std::time::Duration;

use anyhow::ensure;
use mercurious_cluster::{Cluster, Namespace};
use mercurious_trials::{
    Image, Program,
    report::{Figures, Section, say},
};

use crate::{
    spent::{self, Spending},
    wishes::Wish,
};

const RUNS: u32 = 20;
const TAGS: u32 = 100;
const SERVICES: [&str; 3] = ["api-gateway", "api-enrichment", "api-generation"];

/// One pass with nothing to do, beside the reads of the guide's shell script.
pub(crate) async fn measure(
    (program, engine): (&Program, &Program),
    cluster: &Cluster,
) -> anyhow::Result<Section> {
    let namespace = Namespace::make(cluster, "pass").await?;
    let images = cluster.images();
    let pattern = images.small_pattern(program).await?;
    for service in SERVICES {
        let path = format!("{}/{service}", namespace.name());
        for number in 0..TAGS {
            let image = Image { version: format!("{service}-{number}"), ..Image::good(number) };
            pattern.push(&images.pushed(&path), &image).await?;
        }
        let repository = images.pulled(&path);
        let wish = Wish {
            name: service,
            repository: &repository,
            image: &format!("{repository}:latest"),
            interval: "1m",
            replicas: 0,
            timeout: "2m",
            bake: "1s",
            checks: "[]",
        };
        namespace.kubectl().apply(&wish.manifests()).await?;
    }
    let kubeconfig = cluster.facts().kubeconfig.display().to_string();
    let path = engine.path().display().to_string();
    let pass =
        [path.as_str(), "sync", "--namespace", namespace.name(), "--kubeconfig", &kubeconfig];
    let first = spent::measure(&pass)?;
    ensure!(first.code == Some(0), "the first pass ended with {:?}: {}", first.code, first.said);

    let script = script(&kubeconfig, namespace.name());
    let shell = ["sh", "-c", &script];
    let (mut own, mut other) = (Columns::default(), Columns::default());
    let mut ratios = Columns::default();
    for run in 0..=RUNS {
        let (ours, theirs) = (spent::measure(&pass)?, spent::measure(&shell)?);
        ensure!(ours.code == Some(0), "a pass ended with {:?}: {}", ours.code, ours.said);
        ensure!(ours.said.is_empty(), "a pass with nothing to do said: {}", ours.said);
        ensure!(theirs.code == Some(0), "the script failed: {}", theirs.said);
        // The first of each warms up.
        if run > 0 {
            own.add(&ours);
            other.add(&theirs);
            ratios.divide(&ours, &theirs);
        }
    }
    say("passes measured");
    namespace.remove().await?;
    let mut rows = Vec::new();
    for (what, own, other, ratio) in [
        ("CPU, ms", own.cpu, other.cpu, ratios.cpu),
        ("wall, ms", own.wall, other.wall, ratios.wall),
        ("peak resident memory of one process, MB", own.peak, other.peak, ratios.peak),
    ] {
        rows.push((format!("{what}: `mercurious sync`"), own.to_string()));
        rows.push((format!("{what}: six `kubectl get`"), other.to_string()));
        rows.push((format!("{what}: ratio, pair by pair"), ratio.to_string()));
    }
    Ok(Section {
        title: "One pass on Kubernetes with nothing to do",
        what: format!(
            "`mercurious sync` over 3 auto-deploys, each of a repository of {TAGS} commit tags, in turn with the six \
             `kubectl get` calls that the guide's script makes to find the policy's newest image and the running one. \
             Whole processes, as the kernel accounts for them; nothing was printed by any of the passes."
        ),
        rows,
    })
}

/// What the guide's CronJob runs when nothing is new.
fn script(kubeconfig: &str, namespace: &str) -> String {
    let mut script = "set -e\n".to_owned();
    for service in SERVICES {
        let kubectl = format!("kubectl --kubeconfig {kubeconfig} --namespace {namespace}");
        script += &format!(
            "latest=$({kubectl} get imagepolicy {service} -o jsonpath='{{.status.latestRef.tag}}')
current=$({kubectl} get deployment {service} -o jsonpath='{{.spec.template.spec.containers[0].image}}')
[ \"$latest\" != \"$current\" ]
"
        );
    }
    script
}

#[derive(Default)]
struct Columns {
    cpu: Figures,
    wall: Figures,
    peak: Figures,
}

impl Columns {
    fn add(&mut self, spending: &Spending) {
        self.cpu.add(milliseconds(spending.cpu));
        self.wall.add(milliseconds(spending.wall));
        self.peak.add(spending.peak as f64 / 1e6);
    }

    fn divide(&mut self, ours: &Spending, theirs: &Spending) {
        self.cpu.add(ours.cpu.div_duration_f64(theirs.cpu));
        self.wall.add(ours.wall.div_duration_f64(theirs.wall));
        self.peak.add(ours.peak as f64 / theirs.peak as f64);
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
