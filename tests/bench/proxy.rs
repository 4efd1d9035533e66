use std::{
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use mercurious_load::ask;
use mercurious_trials::report::{Figures, Section, say, version};
use tokio::time::{Instant, sleep};

const RUNS: u32 = 7;
const SECONDS: u32 = 5;
const CONNECTIONS: u32 = 64;

/// The front proxy and nginx in turn, before the same server.
pub(crate) async fn measure(forward: Option<&Path>) -> anyhow::Result<Section> {
    let (nginx, wrk) = (version("nginx"), version("wrk"));
    let what = format!(
        "The front proxy (`delivery/local/proxy/examples/forward.rs`) and {nginx} as a proxy with kept connections, each \
         with two threads, before the same server (nginx, 100 bytes); `wrk -t1 -c{CONNECTIONS} -d{SECONDS}s --latency`, in turn, {RUNS} \
         times. All of it shares the machine's cores."
    );
    let title = "Front proxy beside nginx";
    for missing in [&nginx, &wrk] {
        if missing.ends_with("is not installed") {
            let rows = vec![("not measured".to_owned(), missing.clone())];
            return Ok(Section { title, what, rows });
        }
    }
    let forward = forward.context("name the proxy's example with --forward")?;
    let place = tempfile::tempdir()?;
    let [server, other, own] = free_ports()?;
    std::fs::create_dir_all(place.path().join("html"))?;
    std::fs::write(place.path().join("html/index.html"), "x".repeat(99) + "\n")?;
    std::fs::write(place.path().join("nginx.conf"), nginx_conf(place.path(), server, other))?;
    let nginx = Command::new("nginx")
        .arg("-c")
        .arg(place.path().join("nginx.conf"))
        .arg("-p")
        .arg(place.path())
        .stderr(Stdio::null())
        .spawn()?;
    let _nginx = Ended(nginx);
    let proxy = Command::new(forward)
        .arg(own.to_string())
        .arg(format!("127.0.0.1:{server}"))
        .env("TOKIO_WORKER_THREADS", "2")
        .spawn()?;
    let _proxy = Ended(proxy);
    for port in [server, other, own] {
        answers(port).await?;
    }
    let mut direct = Vec::new();
    let mut pairs = Vec::new();
    for run in 1..=RUNS {
        let (first, second) = if run % 2 == 0 { (other, own) } else { (own, other) };
        let (one, two) = (wrk_run(first)?, wrk_run(second)?);
        let (ours, theirs) = if first == own { (one, two) } else { (two, one) };
        say(&format!("proxy run {run} of {RUNS}: {ours:?} beside {theirs:?}"));
        pairs.push((ours, theirs));
        direct.push(wrk_run(server)?);
    }
    let row = |name: &str, pick: fn(&Wrk) -> f64| {
        let (mut ours, mut theirs, mut ratio, mut bare) =
            (Figures::default(), Figures::default(), Figures::default(), Figures::default());
        for (own, other) in &pairs {
            ours.add(pick(own));
            theirs.add(pick(other));
            ratio.add(pick(own) / pick(other));
        }
        for run in &direct {
            bare.add(pick(run));
        }
        [
            (format!("{name}: ratio, this to nginx, pair by pair"), ratio.to_string()),
            (format!("{name}: this"), ours.to_string()),
            (format!("{name}: nginx"), theirs.to_string()),
            (format!("{name}: no proxy"), bare.to_string()),
        ]
    };
    let mut rows = Vec::new();
    rows.extend(row("thousand requests a second", |run| run.per_second / 1000.0));
    rows.extend(row("median latency, ms", |run| run.median));
    rows.extend(row("99th percentile, ms", |run| run.most));
    Ok(Section { title, what, rows })
}

/// What one run saw.
#[derive(Clone, Copy, Debug)]
struct Wrk {
    per_second: f64,
    median: f64,
    most: f64,
}

fn wrk_run(port: u16) -> anyhow::Result<Wrk> {
    let output = Command::new("wrk")
        .args(["-t1", &format!("-c{CONNECTIONS}"), &format!("-d{SECONDS}s"), "--latency"])
        .arg(format!("http://127.0.0.1:{port}/"))
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success() && !text.contains("Non-2xx"), "wrk: {text}");
    let after =
        |label: &str| text.lines().find_map(|line| line.trim().strip_prefix(label)).map(str::trim);
    let millis = |text: &str| -> Option<f64> {
        let (number, scale) = if let Some(number) = text.strip_suffix("us") {
            (number, 0.001)
        } else if let Some(number) = text.strip_suffix("ms") {
            (number, 1.0)
        } else {
            (text.strip_suffix('s')?, 1000.0)
        };
        Some(number.parse::<f64>().ok()? * scale)
    };
    let parsed = || {
        Some(Wrk {
            per_second: after("Requests/sec:")?.parse().ok()?,
            median: millis(after("50%")?)?,
            most: millis(after("99%")?)?,
        })
    };
    parsed().with_context(|| format!("wrk said: {text}"))
}

async fn answers(port: u16) -> anyhow::Result<()> {
    let until = Instant::now() + Duration::from_secs(20);
    let url = format!("http://127.0.0.1:{port}/");
    loop {
        match ask(&url, Duration::from_secs(5)).await {
            Ok(_) => return Ok(()),
            Err(error) => ensure!(Instant::now() < until, "{url} does not answer: {error}"),
        }
        sleep(Duration::from_millis(50)).await;
    }
}

fn free_ports<const N: usize>() -> anyhow::Result<[u16; N]> {
    // All are held until all are found, so that no two are the same.
    let mut held = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}

/// A process that ends with the measurement.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // SIGTERM first: nginx ends its workers then.
        let pid = nix::unistd::Pid::from_raw(self.0.id().cast_signed());
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

fn nginx_conf(place: &Path, server: u16, proxy: u16) -> String {
    let place = place.display();
    format!(
        "daemon off;
worker_processes 2;
pid {place}/pid;
error_log {place}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi;
    scgi_temp_path {place}/scgi;
    server {{ listen 127.0.0.1:{server} backlog=4096; root {place}/html; }}
    upstream behind {{ server 127.0.0.1:{server}; keepalive 128; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{proxy} backlog=4096;
        location / {{ proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection \"\"; }}
    }}
}}
"
    )
}
