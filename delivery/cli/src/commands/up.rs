use std::{
    ffi::OsString,
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use axum::{http::header::CONTENT_TYPE, routing::get};
use mercurious_api::{ApiServer, ManifestWarning, UnsteeredWorkload, UnsteeredWorkloads, serve};
use mercurious_core::resources::ObjectName;
use mercurious_engine::{WorkloadView, ports::LogTail};
use mercurious_local::{Address, DataDirectory, Home, HomeSettings, Unsteered};
use mercurious_runtime::{SystemClock, Tasks, terminated};
use mercurious_webhooks::Hint;
use secrecy::SecretString;
use serde::Serialize;
use tokio::net::{TcpListener, UnixListener};

use crate::{
    cli::{Globals, Output, UpArgs},
    failure::{Failure, report},
    hooks::{self, Unusable},
    output::{describe, print_json_line, say},
    settings,
};

/// The hidden command that starts a plain process so that it dies with its parent.
const LAUNCHER: &str = "__launch";

/// The hidden command that ends what a killed engine left.
const WATCHER: &str = "__watch";

const METRICS: &str = "text/plain; version=0.0.4";

/// Replicas get this long to finish what they do when everything stops.
const STOP_DEADLINE: Duration = Duration::from_mins(1);

pub(crate) async fn run(args: UpArgs, globals: &Globals) -> anyhow::Result<()> {
    let root = settings::data_directory(globals)?;
    let tasks = Tasks::new();
    let home = start(&args, &root, &tasks).await?;
    for warning in &*home.warnings {
        say(format!("warning: {}: {}: {}", warning.origin, warning.subject, warning.message));
    }
    let (home, hooks) = (home.home, home.hooks);
    let json = globals.output == Output::Json;
    if json {
        print_json_line(&serde_json::json!({ "started": Started::of(&home, &root, &hooks) }))?;
    } else if !globals.quiet {
        if args.filenames.is_empty() {
            say("warning: no manifests: only the registry runs; name some with `-f PATH`");
        } else if home.is_empty() {
            say("warning: the manifests have no workload: only the registry runs");
        }
        say(format!("registry    {}   (push to {}/NAME)", home.registry, home.registry));
        for Address { name, address, is_http } in &home.addresses {
            let scheme = if *is_http { "http" } else { "tcp" };
            say(format!("{name}   {scheme}://{address}"));
        }
        for url in &hooks {
            say(format!("hooks       {url}"));
        }
        say(format!("data        {}", root.display()));
        if let Some(warning) = &home.isolation_warning {
            say(format!("warning: {warning}"));
        }
    }
    let talk = (json || !globals.quiet).then(|| home.events.subscribe());
    let stopping = tasks.stopping();
    if let Some(mut events) = talk {
        let stopping = stopping.clone();
        tasks.spawn("talk", async move {
            loop {
                tokio::select! {
                    () = stopping.cancelled() => return,
                    event = events.recv() => match event {
                        // Who stopped reading does not stop the engine.
                        Ok(event) if json => {
                            let _ = print_json_line(&serde_json::json!({ "event": event }));
                        }
                        Ok(event) => say(describe(&event)),
                        Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                        Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
                    },
                }
            }
        });
    }
    let ended = tokio::select! {
        signal = terminated() => signal.map(Some),
        () = stopping.cancelled() => Ok(None),
    };
    let ended = ended.context("cannot listen for signals")?;
    if ended.is_some() {
        say("stopping: replicas finish what they do; a second signal stops at once");
    }
    let left = tokio::select! {
        left = tasks.shut_down(STOP_DEADLINE) => left,
        _ = terminated() => {
            return Err(Failure::failed("stopped at once, by a second signal"));
        }
    };
    match ended {
        Some(signal) if !globals.quiet => say(format!("stopped by {signal}")),
        Some(_) => {}
        None => anyhow::bail!("a part of the engine ended unexpectedly; the log says which"),
    }
    anyhow::ensure!(left == 0, "{left} tasks did not end within {STOP_DEADLINE:?}");
    Ok(())
}

/// What programs are told at the start.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Started {
    registry: SocketAddr,
    addresses: Vec<Address>,
    data_directory: PathBuf,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hooks: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    isolation_warning: Option<String>,
}

impl Started {
    fn of(home: &Home, root: &Path, hooks: &[String]) -> Self {
        Self {
            registry: home.registry,
            addresses: home.addresses.clone(),
            data_directory: root.to_owned(),
            hooks: hooks.to_owned(),
            isolation_warning: home.isolation_warning.clone(),
        }
    }
}

/// [`Unsteered`], as the API asks for it.
struct Beside(Unsteered);

impl UnsteeredWorkloads for Beside {
    fn list(&self) -> Vec<UnsteeredWorkload> {
        let of = |(name, workload): (ObjectName, WorkloadView)| UnsteeredWorkload {
            namespace: name.namespace.to_string(),
            workload,
        };
        self.0.list().into_iter().map(of).collect()
    }

    fn log_tail(&self, name: &ObjectName, limit: usize) -> Option<LogTail> {
        self.0.log_tail(name, limit)
    }
}

/// What this program is when it was started by itself, as a part of a home: not a command that people give.
pub(crate) fn be_a_part() -> Option<ExitCode> {
    let mut arguments = std::env::args_os();
    let hidden = arguments.nth(1)?;
    // The launcher must do as little as possible: it becomes another program at once.
    if hidden == LAUNCHER {
        return Some(mercurious_sandbox::launcher::main(&arguments.collect::<Vec<_>>()));
    }
    if hidden == WATCHER {
        let directory = PathBuf::from(arguments.next().unwrap_or_default());
        return Some(match mercurious_local::end_left_overs(&directory) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => report(&anyhow::Error::new(error).context("cannot end left-overs")),
        });
    }
    None
}

/// The command that starts a replica: this program itself.
pub(crate) fn launcher() -> anyhow::Result<Vec<OsString>> {
    this_program(LAUNCHER)
}

/// This program, to be started again for something that people do not ask it for.
fn this_program(hidden: &str) -> anyhow::Result<Vec<OsString>> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    Ok(vec![OsString::from(program), OsString::from(hidden)])
}

/// A home with its API, and what is odd about its manifests.
pub(crate) struct RunningHome {
    pub(crate) home: Home,
    pub(crate) warnings: Arc<[ManifestWarning]>,
    /// Where notifications are received.
    pub(crate) hooks: Vec<String>,
}

/// Starts the home and its API.
pub(crate) async fn start(
    args: &UpArgs,
    root: &Path,
    tasks: &Tasks,
) -> anyhow::Result<RunningHome> {
    let manifests = mercurious_manifests::read_paths(&args.filenames)
        .map_err(|faults| Failure::usage(format!("the manifests cannot be used\n{faults}")))?;
    let hooks = hooks::prepare(&args.hooks, Unusable::Refused)?;
    let directory = DataDirectory::open(root)?;
    let root = directory.root().to_owned();
    let warnings: Arc<[ManifestWarning]> =
        manifests.warnings.iter().map(manifest_warning).collect();
    let home = Home::start(
        directory,
        HomeSettings {
            manifests,
            registry_listen: args.registry_listen,
            listen: args.listen,
            login_files: settings::login_files(),
            watcher: this_program(WATCHER)?,
            launcher: launcher()?,
            no_sandbox: args.no_sandbox,
            clock: Arc::new(SystemClock),
        },
        tasks,
    )
    .await?;
    let server = ApiServer {
        handle: home.handle.clone(),
        events: home.events.clone(),
        token: Arc::new(token(&root)?),
        warnings: Arc::clone(&warnings),
        unsteered: Arc::new(Beside(home.unsteered.clone())),
        stopping: tasks.stopping(),
    };
    let handle = home.handle.clone();
    let ears = Arc::new(move |hint: &Hint| {
        handle.hint(Some(hint.repository.host()), hint.repository.path(), hint.tag.as_ref());
    });
    let mut router = server.router();
    let mut urls = Vec::new();
    if let Some(hooks) = hooks {
        let hooks = hooks.start(ears, tasks).await?;
        let metrics = async move || ([(CONTENT_TYPE, METRICS)], hooks.webhooks.metrics());
        router = router.merge(axum::Router::new().route("/metrics", get(metrics)));
        urls = hooks.urls;
    }
    let socket = DataDirectory::socket(&root);
    // The lock is ours, so a socket that is there is nobody's.
    let _ = std::fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket)
        .with_context(|| format!("cannot listen on {}", socket.display()))?;
    let (unix_router, stopping) = (router.clone(), tasks.stopping());
    tasks.spawn_critical("api", async move {
        if let Err(error) = serve(listener, unix_router, stopping).await {
            tracing::error!(error = %error, "api ended");
        }
    });
    if let Some(address) = args.api_listen {
        anyhow::ensure!(
            address.ip().is_loopback(),
            "--api-listen: {address} is not a loopback address"
        );
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("--api-listen: cannot listen on {address}"))?;
        let stopping = tasks.stopping();
        tasks.spawn_critical("api", async move {
            if let Err(error) = serve(listener, router, stopping).await {
                tracing::error!(error = %error, "api ended");
            }
        });
    }
    Ok(RunningHome { home, warnings, hooks: urls })
}

fn manifest_warning(warning: &mercurious_manifests::Warning) -> ManifestWarning {
    ManifestWarning {
        kind: format!("{:?}", warning.kind),
        origin: warning.origin.to_string(),
        subject: warning.subject.clone(),
        message: warning.message.clone(),
    }
}

/// The token of the data directory, made where there is none, readable by its owner alone.
fn token(root: &Path) -> anyhow::Result<SecretString> {
    let path = DataDirectory::token_file(root);
    if let Ok(text) = std::fs::read_to_string(&path)
        && text.trim().len() >= 32
    {
        return Ok(SecretString::from(text.trim()));
    }
    let mut bytes = [0; 32];
    let random = rustls::crypto::ring::default_provider().secure_random;
    random.fill(&mut bytes).map_err(|_| anyhow::anyhow!("no random numbers for the token"))?;
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let _ = std::fs::remove_file(&path);
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    writeln!(file, "{text}")?;
    Ok(SecretString::from(text))
}
