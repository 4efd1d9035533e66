use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use mercurious_distribution::{Distribution, Settings, serve};
use mercurious_runtime::{CancellationToken, Tasks, terminated};
use mercurious_trials::Program;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpListener,
    process::{Child, ChildStdin, Command},
    time::{Instant, sleep, timeout},
};

use crate::{
    build, cgroup, cluster::Facts, files, images::Images, kubectl::Kubectl, packages, parts::Part,
    pki, place::Place, subnet::Subnet,
};

/// Nothing in a start takes longer, on a busy machine.
const PATIENCE: Duration = Duration::from_mins(3);

/// Starts a cluster, tells `ready` its facts, and keeps it until its input ends or a signal comes.
pub async fn keep(ready: impl FnOnce(&Facts) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let built = tokio::task::spawn_blocking(|| {
        packages::install()?;
        build::build()
    })
    .await??;
    let subnet = Subnet::take()?;
    let kept = match Place::make() {
        Ok(place) => {
            let kept = keep_at(&place, subnet, &built, ready).await;
            take_down(&place).and(kept)
        }
        Err(error) => Err(error),
    };
    subnet.release();
    kept
}

fn take_down(place: &Place) -> anyhow::Result<()> {
    ensure!(cgroup::remove(&place.cgroup()), "control groups of {} are left", place.cgroup());
    place.remove()
}

async fn keep_at(
    place: &Place,
    subnet: Subnet,
    built: &build::Built,
    ready: impl FnOnce(&Facts) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    cgroup::make(&place.cgroup()).context("cannot make control groups")?;
    pki::write(place, subnet)?;
    files::write_kernel(place)?;
    let mut inner = Inner::start(place, subnet, &built.node).await?;
    let tasks = Tasks::new();
    let kept = tokio::select! {
        kept = work(place, subnet, built, &mut inner, &tasks, ready) => kept,
        told = told_to_end() => told,
    };
    let ended = inner.end().await;
    tasks.shut_down(Duration::from_secs(10)).await;
    kept.and(ended)
}

async fn work(
    place: &Place,
    subnet: Subnet,
    built: &build::Built,
    inner: &mut Inner,
    tasks: &Tasks,
    ready: impl FnOnce(&Facts) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let registry = start_registry(place, subnet, tasks).await?;
    files::write(place, subnet, registry)?;
    let facts = facts(place, subnet, registry);
    inner.begin(&[Part::Etcd, Part::Containerd, Part::ApiServer]).await?;
    Images::of(&facts).publish(&Program::built()?, &built.pause, "cluster/pause", &[]).await?;
    let kubectl = Kubectl::new(&facts.kubeconfig);
    until(place, inner, "the API server", || kubectl.line("get --raw /readyz")).await?;
    // It ends when the API server does not answer yet.
    inner.begin(&[Part::ControllerManager, Part::Scheduler, Part::Kubelet, Part::Proxy]).await?;
    until(place, inner, "the default service account", || {
        kubectl.line("get serviceaccount default")
    })
    .await?;
    until(place, inner, "the node", || {
        kubectl.line("wait --for=condition=Ready node --all --timeout=1s")
    })
    .await?;
    ready(&facts)?;
    let status = inner.child.wait().await?;
    bail!("the cluster's process 1 ended with {status}")
}

fn facts(place: &Place, subnet: Subnet, registry: SocketAddr) -> Facts {
    Facts {
        kubeconfig: place.file("kubeconfig"),
        registry: registry.to_string(),
        push: SocketAddr::from((Ipv4Addr::LOCALHOST, registry.port())).to_string(),
        node: subnet.node().to_string(),
        host: Some(subnet.host().to_string()),
        place: Some(place.path().to_owned()),
    }
}

/// On the loopback address, for pushes from here, and on the node's link under the same port.
async fn start_registry(
    place: &Place,
    subnet: Subnet,
    tasks: &Tasks,
) -> anyhow::Result<SocketAddr> {
    let host = IpAddr::V4(subnet.host());
    let outer = TcpListener::bind((host, 0)).await.context("the registry cannot listen")?;
    let address = outer.local_addr()?;
    let loopback = TcpListener::bind((Ipv4Addr::LOCALHOST, address.port())).await;
    let settings = Settings { allowed_hosts: [host.to_string()].into(), ..Settings::default() };
    let distribution = Distribution::open(&place.file("registry"), settings)?;
    let stopping: CancellationToken = tasks.stopping();
    for listener in [outer, loopback.context("the registry's port is taken on loopback")?] {
        let (distribution, stopping) = (distribution.clone(), stopping.clone());
        tasks.spawn("registry", async move {
            // It fails at once or never.
            let _ = serve(listener, distribution, stopping).await;
        });
    }
    Ok(address)
}

/// By the end of the input, which is the end of whoever started this, or by a signal.
async fn told_to_end() -> anyhow::Result<()> {
    let (told, input_ended) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        // A failure is an end as well; nobody may be left to hear of it.
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _ = told.send(());
    });
    tokio::select! {
        _ = input_ended => Ok(()),
        signal = terminated() => Ok(signal.map(drop)?),
    }
}

async fn until<F>(
    place: &Place,
    inner: &mut Inner,
    what: &str,
    ask: impl Fn() -> F,
) -> anyhow::Result<()>
where
    F: Future<Output = Result<String, crate::KubectlError>>,
{
    let end = Instant::now() + PATIENCE;
    while let Err(error) = ask().await {
        if let Some(status) = inner.child.try_wait()? {
            bail!("the cluster's process 1 ended with {status}\n{}", logs(place));
        }
        ensure!(Instant::now() < end, "{what} did not come: {error}\n{}", logs(place));
        sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

/// The last lines of every part.
fn logs(place: &Place) -> String {
    let mut said = String::new();
    for part in Part::ALL {
        let log = std::fs::read_to_string(place.file(&format!("log/{}", part.name())));
        let lines = log.unwrap_or_default();
        let lines: Vec<&str> = lines.lines().rev().take(8).collect();
        said += &format!("--- {}\n", part.name());
        for line in lines.iter().rev() {
            said += &format!("{line}\n");
        }
    }
    said
}

/// The process that everything else ends with.
struct Inner {
    child: Child,
    orders: ChildStdin,
}

impl Inner {
    async fn start(place: &Place, subnet: Subnet, node: &Path) -> anyhow::Result<Self> {
        let own = std::env::current_exe().context("cannot find the own program")?;
        let mut child = Command::new("unshare")
            .args(["--pid", "--net", "--mount", "--propagation", "private", "--fork"])
            .arg("--kill-child")
            .arg(own)
            .arg("inside")
            .arg(place.path())
            .arg(subnet.number().to_string())
            .arg(node)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot run unshare")?;
        let output = child.stdout.take().context("no output")?;
        let mut line = String::new();
        timeout(PATIENCE, BufReader::new(output).read_line(&mut line)).await??;
        let process = line.trim().parse().context("the inner process did not say its number")?;
        subnet.attach(process)?;
        let mut orders = child.stdin.take().context("no input")?;
        orders.write_all(b"attached\n").await?;
        Ok(Self { child, orders })
    }

    async fn begin(&mut self, parts: &[Part]) -> anyhow::Result<()> {
        for part in parts {
            let order = format!("{}\n", part.name());
            self.orders.write_all(order.as_bytes()).await.context("the cluster is gone")?;
        }
        Ok(())
    }

    /// Takes the namespaces down: `unshare` kills its child, the kernel everything in it.
    async fn end(mut self) -> anyhow::Result<()> {
        drop(self.orders);
        if timeout(Duration::from_secs(10), self.child.wait()).await.is_err() {
            self.child.kill().await.context("cannot end the cluster")?;
        }
        Ok(())
    }
}
