//! The commands that are an engine over a cluster: one pass, or for ever.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use mercurious_core::{decide::Reason, resources::ObjectName, rollout::Phase};
use mercurious_engine::{Event, EventKind};
use mercurious_kubernetes::{
    Connection, ConnectionSettings, ControllerSettings, Hints, LeaseSettings, MoreMetrics, Outcome,
    PassSettings, Scope, run_controller, run_pass,
};
use mercurious_runtime::{CancellationToken, SystemClock, Tasks, terminated};
use mercurious_webhooks::Hint;
use tokio::net::TcpListener;

use crate::{
    cli::{Cli, Command, ControllerArgs, Globals, SyncArgs},
    cluster_args::EngineArgs,
    failure::Failure,
    hooks::{self, Unusable},
    output::{describe, say},
    settings,
};

use super::cluster_apps;

/// Notifications that are being answered at the end are answered within this.
const HOOKS_STOP: Duration = Duration::from_secs(3);

/// Whether a command means a cluster: a kubeconfig is named, or this runs in a pod and no data directory is named.
pub(crate) fn is_meant(cli: &Cli) -> bool {
    let cluster = &cli.globals.cluster;
    let named = cluster.kubeconfig.is_some() || cluster.context.is_some();
    let in_pod = cli.globals.data_dir.is_none() && settings::is_in_cluster();
    match cli.command {
        Command::Controller(_) => true,
        Command::Sync(_) => named || in_pod,
        ref command => cluster_apps::is_known(command) && (named || in_pod),
    }
}

/// One pass. Silent when nothing changed; leaves quietly when another engine is at work.
pub(crate) async fn sync(args: SyncArgs, globals: &Globals) -> anyhow::Result<()> {
    let connection = connect(globals).await?;
    let settings = PassSettings {
        scope: scope(globals, &connection),
        images: args.engine.images(Vec::new()),
        names: args.names,
        mirrors: args.engine.mirrors.clone(),
        platform: args.engine.platform(),
        lease: lease(&args.engine, &connection, &globals.cluster.namespaces),
        deadline: args.timeout.0,
    };
    let quiet = globals.quiet;
    let hears = Arc::new(move |event: &Event| {
        if !quiet && is_news(event) {
            say(describe(event));
        }
    });
    let outcome = run_pass(connection, settings, Arc::new(SystemClock), hears).await?;
    let (ended, problems, late) = match outcome {
        Outcome::Busy { holder } => {
            tracing::info!(lease.holder = holder, "another engine is at work");
            return Ok(());
        }
        Outcome::Done { ended, problems, late } => (ended, problems, late),
    };
    if !problems.is_empty() {
        let lines: Vec<String> =
            problems.iter().map(|(name, problem)| format!("{name}: {problem}")).collect();
        anyhow::bail!("{}", lines.join("\n"));
    }
    let failed: Vec<String> = ended
        .iter()
        .filter(|(_, attempt)| attempt.phase != Phase::Succeeded)
        .map(|(name, attempt)| format!("{name}: {}", attempt.message))
        .collect();
    if !failed.is_empty() {
        return Err(Failure::no(failed.join("\n")));
    }
    if late {
        let message = format!("not at its end after {}; the next pass goes on", args.timeout);
        return Err(Failure::late(message));
    }
    Ok(())
}

/// Steers until it is told to stop.
pub(crate) async fn controller(args: ControllerArgs, globals: &Globals) -> anyhow::Result<()> {
    let connection = connect(globals).await?;
    let tasks = Tasks::new();
    let hints = Hints::default();
    let heard = hints.clone();
    let ears = Arc::new(move |hint: &Hint| heard.hear(&hint.repository, hint.tag.as_ref()));
    let metrics = match hooks::prepare(&args.hooks, Unusable::Awaited)? {
        Some(hooks) => {
            let webhooks = hooks.start(ears, &tasks).await?.webhooks;
            Some(Arc::new(move || webhooks.metrics()) as MoreMetrics)
        }
        None => None,
    };
    let settings = ControllerSettings {
        scope: scope(globals, &connection),
        images: args.engine.images(args.image_namespaces.clone()),
        mirrors: args.engine.mirrors.clone(),
        platform: args.engine.platform(),
        lease: lease(&args.engine, &connection, &globals.cluster.namespaces),
        hints,
        metrics,
    };
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("--listen: cannot listen on {}", args.listen))?;
    let stop = CancellationToken::new();
    let told = stop.clone();
    tasks.spawn("signals", async move {
        match terminated().await {
            Ok(signal) => tracing::info!(signal, "stopping"),
            Err(error) => tracing::error!(error = %error, "cannot listen for signals"),
        }
        told.cancel();
    });
    let ended = tasks.stopping();
    let run = run_controller(connection, settings, Arc::new(SystemClock), listener, stop.clone());
    let mut run = std::pin::pin!(run);
    tokio::select! {
        result = &mut run => result?,
        // A part that serves beside the controller is gone: it stops too, the Lease given back.
        () = ended.cancelled() => {
            stop.cancel();
            run.await?;
            anyhow::bail!("a part of the controller ended unexpectedly; the log says which");
        }
    }
    tasks.shut_down(HOOKS_STOP).await;
    Ok(())
}

pub(crate) async fn connect(globals: &Globals) -> anyhow::Result<Connection> {
    let cluster = &globals.cluster;
    // A person's own kubeconfig is meant where this runs in no pod.
    let context = cluster.context.clone();
    let kubeconfig = match &cluster.kubeconfig {
        None if context.is_none() && !settings::is_in_cluster() => {
            return Err(Failure::usage(
                "no cluster is named and this runs in no pod: name one with --kubeconfig or --context",
            ));
        }
        kubeconfig => kubeconfig.clone(),
    };
    Ok(Connection::open(&ConnectionSettings { kubeconfig, context }).await?)
}

pub(crate) fn scope(globals: &Globals, connection: &Connection) -> Scope {
    let cluster = &globals.cluster;
    let namespaces = if cluster.all_namespaces {
        Vec::new()
    } else if cluster.namespaces.is_empty() {
        vec![connection.namespace.clone()]
    } else {
        cluster.namespaces.clone()
    };
    Scope { namespaces }
}

fn lease(args: &EngineArgs, connection: &Connection, namespaces: &[String]) -> LeaseSettings {
    // Who steers one namespace from elsewhere must meet who steers it from within.
    let namespace = match (&args.lease_namespace, namespaces) {
        (Some(namespace), _) | (None, [namespace]) => namespace,
        (None, _) => &connection.namespace,
    };
    LeaseSettings {
        name: ObjectName::new(namespace, &args.lease),
        holder: settings::instance(),
        duration: args.lease_duration(),
        renew_every: args.lease_duration() / 5,
    }
}

/// What a pass tells: what was decided, not that all is well.
fn is_news(event: &Event) -> bool {
    match &event.kind {
        EventKind::Decision { reason, .. } => *reason != Reason::UpToDate,
        EventKind::Found { .. } | EventKind::LookFailed { .. } => false,
    }
}
