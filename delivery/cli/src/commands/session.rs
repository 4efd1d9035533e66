//! The commands that talk to a running engine.

use std::sync::Arc;

use mercurious_api::{ApiClient, Change, Verb};
use mercurious_core::resources::AutoDeployStatus;
use mercurious_engine::AutoDeployView;

use crate::{
    cli::{Command, Globals, Output},
    failure::Failure,
    output::{print, print_json},
    settings,
};

pub(crate) async fn run(command: Command, globals: &Globals) -> anyhow::Result<()> {
    let client = ApiClient::new(&settings::data_directory(globals)?);
    let session = Session { client, globals };
    match command {
        Command::Status { name, watch: true } => session.watch(name.as_deref()).await,
        Command::Status { name, watch: false } => session.status(name.as_deref()).await,
        Command::Scan { name } => session.change(&name, Verb::Scan, Change::default()).await,
        Command::Sync(args) => session.sync(&args.names, args.timeout.0).await,
        Command::Deploy { name, to } => {
            session.change(&name, Verb::Deploy, Change { release: to, ..by() }).await
        }
        Command::Restart { name: Some(name), .. } => {
            session.change(&name, Verb::Restart, by()).await
        }
        Command::Restart { timeout, .. } => session.restart_all(timeout.0).await,
        Command::Rollback { name: Some(name), to, list: false } => {
            session.change(&name, Verb::Rollback, Change { release: to, ..by() }).await
        }
        Command::Rollback { name, .. } => session.list_returns(name.as_deref()).await,
        Command::Hold { name, release, reason } => {
            session.change(&name, Verb::Hold, Change { release, reason, ..by() }).await
        }
        Command::Resume { name, release } => {
            session.change(&name, Verb::Resume, Change { release, ..by() }).await
        }
        Command::Suspend { name } => session.change(&name, Verb::Suspend, by()).await,
        Command::History { name } => session.history(&name).await,
        Command::Explain { name } => session.explain(&name).await,
        Command::Verify { name } => session.verify(&name).await,
        Command::Logs { name, lines, follow: false } => session.logs(&name, lines).await,
        Command::Logs { name, lines, follow: true } => session.follow_logs(&name, lines).await,
        _ => Err(Failure::usage("this command does not talk to an engine")),
    }
}

/// Who asks.
pub(super) fn by() -> Change {
    Change { by: Some(settings::person()), ..Change::default() }
}

/// A conversation with a running engine.
pub(super) struct Session<'a> {
    pub(super) client: ApiClient,
    globals: &'a Globals,
}

impl Session<'_> {
    pub(super) fn json(&self) -> bool {
        self.globals.output == Output::Json
    }

    async fn change(&self, name: &str, verb: Verb, change: Change) -> anyhow::Result<()> {
        let view = self.client.change(name, verb, &change).await?;
        if self.json() {
            return print_json(&view);
        }
        Ok(print(&format!("{}: {}\n", name_of(&view), view.decision.message))?)
    }
}

pub(super) fn name_of(view: &AutoDeployView) -> String {
    view.object.metadata.object_name().to_string()
}

pub(super) fn status_of(view: &AutoDeployView) -> Arc<AutoDeployStatus> {
    view.object.status.clone().unwrap_or_default()
}
