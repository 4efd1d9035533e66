use std::{collections::BTreeSet, process::Stdio, time::Duration};

use anyhow::{Context as _, ensure};
use mercurious_cluster::{Cluster, Namespace};
use mercurious_runtime::Tasks;
use mercurious_trials::{
    Program,
    report::{Figures, Section, say},
};
use nix::unistd::{SysconfVar, sysconf};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep},
};

use crate::{paper_registry::PaperRegistry, wishes::Wish};

const TAGS: u32 = 1000;
/// How long a controller with nothing to do is watched.
const IDLE: Duration = Duration::from_mins(2);
const PATIENCE: Duration = Duration::from_mins(40);
/// `kubectl` is given so many at a time.
const TOGETHER: usize = 100;

/// `mercurious controller` over ever more auto-deploys.
pub(crate) async fn measure(
    program: &Program,
    cluster: &Cluster,
    counts: &[u32],
) -> anyhow::Result<Section> {
    let tasks = Tasks::new();
    let registry = PaperRegistry::open(TAGS, &tasks).await?;
    let mut rows = Vec::new();
    for &count in counts {
        let seen =
            one(program, cluster, &registry, count).await.with_context(|| format!("{count}"))?;
        say(&format!("{count} auto-deploys: {seen:?}"));
        let with = |what: &str| format!("{count} auto-deploys: {what}");
        rows.extend([
            (with("seconds until the newest of all was deployed"), format!("{:.0}", seen.first)),
            (with("requests to the registry meanwhile"), seen.first_requests.to_string()),
            (with("resident memory with nothing to do, MB"), seen.resident.to_string()),
            (with("peak since its start, MB"), format!("{:.1}", seen.peak)),
            (with("CPU with nothing to do, % of a core"), format!("{:.2}", seen.cpu)),
            (
                with("HEAD, all requests, per repository per minute"),
                format!("{:.2}, {:.2}", seen.heads, seen.requests),
            ),
            (
                with("requests to the API server per minute: for the Lease, others"),
                format!("{:.1}, {:.1}", seen.lease, seen.others),
            ),
        ]);
    }
    tasks.shut_down(Duration::from_secs(2)).await;
    Ok(Section {
        title: "A controller on Kubernetes",
        what: format!(
            "`mercurious controller` over auto-deploys of as many repositories of {TAGS} commit tags each, interval 1 \
             minute. The registry computes its answers and counts them, the API server's audit log counts what the \
             controller's account asked; with nothing to do for {} minutes. The Deployments have no replicas: pods are \
             looked at during rollouts alone.",
            IDLE.as_secs() / 60
        ),
        rows,
    })
}

#[derive(Debug)]
struct Seen {
    first: f64,
    first_requests: u64,
    resident: Figures,
    peak: f64,
    cpu: f64,
    heads: f64,
    requests: f64,
    lease: f64,
    others: f64,
}

async fn one(
    program: &Program,
    cluster: &Cluster,
    registry: &PaperRegistry,
    count: u32,
) -> anyhow::Result<Seen> {
    let namespace = Namespace::make(cluster, &format!("many-{count}")).await?;
    let names: Vec<String> = (0..count).map(|number| format!("app-{number:04}")).collect();
    for names in names.chunks(TOGETHER) {
        let wishes: String = names
            .iter()
            .map(|name| {
                let path = format!("{}/{name}", namespace.name());
                let repository = format!("{}/{path}", registry.address);
                let first = format!("{repository}@{}", PaperRegistry::digest(&path, 0));
                let wish = Wish {
                    name,
                    repository: &repository,
                    image: &first,
                    interval: "1m",
                    replicas: 0,
                    timeout: "15m",
                    bake: "1s",
                    checks: "[]",
                };
                wish.manifests()
            })
            .collect();
        namespace.kubectl().run_with(&["create", "-f", "-"], &wishes).await?;
    }
    let place = tempfile::tempdir()?;
    let account = place.path().join("kubeconfig");
    namespace.administrator(cluster, "controller", &account).await?;
    let (asked, begin) = (registry.asked(), Instant::now());
    let mut controller = Command::from(program.command())
        .args(["controller", "--listen", "127.0.0.1:0"])
        .args(["--namespace", namespace.name(), "--image-namespace", namespace.name()])
        .arg("--kubeconfig")
        .arg(&account)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(place.path().join("log"))?)
        .kill_on_drop(true)
        .spawn()?;
    let process = controller.id().context("it has ended")?;

    all_deployed(&namespace, registry, &names, &mut controller).await.with_context(|| {
        let log = std::fs::read_to_string(place.path().join("log")).unwrap_or_default();
        log.lines().rev().take(20).collect::<Vec<_>>().join("\n")
    })?;
    let first = begin.elapsed().as_secs_f64();
    let first_requests = registry.asked().all - asked.all;
    say(&format!("{count} auto-deploys: all deployed after {first:.0} s"));
    // Close watches of the rollouts run out, and every repository has its next look.
    sleep(Duration::from_mins(2)).await;

    let (asked, cpu, audit) = (registry.asked(), ticks(process)?, cluster.audit()?.len());
    let (begin, mut resident) = (Instant::now(), Figures::default());
    while begin.elapsed() < IDLE {
        resident.add(kibibytes(process, "VmRSS:")? * 1024.0 / 1e6);
        sleep(Duration::from_secs(1)).await;
    }
    let minutes = begin.elapsed().as_secs_f64() / 60.0;
    let cpu =
        (ticks(process)? - cpu) as f64 / sysconf(SysconfVar::CLK_TCK)?.context("ticks")? as f64;
    let now = registry.asked();
    let audit = cluster.audit()?.split_off(audit);
    let own = audit.iter().filter(|event| {
        event["user"]["username"].as_str().is_some_and(|user| user.ends_with(":controller"))
            && event["objectRef"]["namespace"] == namespace.name()
    });
    let (lease, others): (Vec<_>, Vec<_>) =
        own.partition(|event| event["objectRef"]["resource"] == "leases");
    let per_repository = |requests: u64| requests as f64 / minutes / f64::from(count);
    let seen = Seen {
        first,
        first_requests,
        resident,
        peak: kibibytes(process, "VmHWM:")? * 1024.0 / 1e6,
        cpu: cpu / (minutes * 60.0) * 100.0,
        heads: per_repository(now.heads - asked.heads),
        requests: per_repository(now.all - asked.all),
        lease: lease.len() as f64 / minutes,
        others: others.len() as f64 / minutes,
    };
    controller.kill().await?;
    namespace.remove().await?;
    Ok(seen)
}

/// Waits until each Deployment names the newest image of its repository.
async fn all_deployed(
    namespace: &Namespace,
    registry: &PaperRegistry,
    names: &[String],
    controller: &mut Child,
) -> anyhow::Result<()> {
    const IMAGES: &str =
        "get deployments --output=jsonpath={.items[*].spec.template.spec.containers[0].image}";
    const ENDED: &str = "get autodeploys --output=jsonpath={.items[*].status.history[0].phase}";
    let wanted: BTreeSet<String> = names
        .iter()
        .map(|name| registry.newest(&format!("{}/{name}", namespace.name())).to_string())
        .collect();
    let end = Instant::now() + PATIENCE;
    loop {
        let images = namespace.kubectl().line(IMAGES).await?;
        let seen: BTreeSet<String> = images
            .split_whitespace()
            .filter_map(|image| image.split_once('@').map(|(_, digest)| digest.to_owned()))
            .collect();
        let ended = namespace.kubectl().line(ENDED).await?;
        if seen == wanted && ended.split_whitespace().count() == names.len() {
            return Ok(());
        }
        ensure!(controller.try_wait()?.is_none(), "the controller ended");
        let missing = wanted.difference(&seen).count();
        ensure!(Instant::now() < end, "{missing} of {} were not deployed", names.len());
        sleep(Duration::from_secs(1)).await;
    }
}

/// What a process spent so far on all cores, in ticks of the clock.
fn ticks(process: u32) -> anyhow::Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name may have spaces; it ends with the last bracket.
    let (_, rest) = stat.rsplit_once(')').context("an unknown format")?;
    let mut fields = rest.split_whitespace().skip(11).map(str::parse::<u64>);
    let mut next = || fields.next().context("an unknown format");
    Ok(next()?? + next()??)
}

fn kibibytes(process: u32, what: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(what)).context("no such line")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}
