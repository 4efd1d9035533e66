//! The commands that talk to a running engine.

use std::time::Duration;

use mercurious_api::{ApiClient, Change};
use mercurious_core::{decide::Reason, resources::AutoDeployStatus, rollout::Phase};
use mercurious_engine::AutoDeployView;

use crate::{
    cli::{Command, Globals, Output},
    failure::Failure,
    output::{print, print_json, say, table},
    settings,
};

/// A rollout that somebody waits for is asked about this often.
const PERIOD: Duration = Duration::from_millis(500);

pub(crate) async fn run(command: Command, globals: &Globals) -> anyhow::Result<()> {
    let client = ApiClient::new(&settings::data_directory(globals)?);
    let session = Session { client, globals };
    match command {
        Command::Status { name, watch } => session.status(name.as_deref(), watch).await,
        Command::Scan { name } => session.change(&name, "scan", Change::default()).await,
        Command::Sync => session.sync().await,
        Command::Deploy { name, to } => {
            session.change(&name, "deploy", Change { release: to, ..by() }).await
        }
        Command::Restart { name: Some(name), .. } => session.change(&name, "restart", by()).await,
        Command::Restart { .. } => session.restart_all().await,
        Command::Rollback { name: Some(name), to } => {
            session.change(&name, "rollback", Change { release: to, ..by() }).await
        }
        Command::Rollback { name: None, .. } => session.list_returns().await,
        Command::Hold { name, release, reason } => {
            session.change(&name, "hold", Change { release, reason, ..by() }).await
        }
        Command::Resume { name, release } => {
            session.change(&name, "resume", Change { release, ..by() }).await
        }
        Command::Suspend { name } => session.change(&name, "suspend", by()).await,
        Command::History { name } => session.history(&name).await,
        Command::Explain { name } => session.explain(&name).await,
        Command::Verify { name } => session.verify(&name).await,
        Command::Doctor => session.doctor().await,
        Command::Logs { name, lines } => {
            let lines = session.client.logs(&name, lines).await?;
            if session.json() {
                return print_json(&lines);
            }
            Ok(print(&lines.iter().map(|line| format!("{line}\n")).collect::<String>())?)
        }
        _ => Err(Failure::usage("this command does not talk to an engine")),
    }
}

fn by() -> Change {
    Change { by: Some(settings::person()), ..Change::default() }
}

struct Session<'a> {
    client: ApiClient,
    globals: &'a Globals,
}

impl Session<'_> {
    fn json(&self) -> bool {
        self.globals.output == Output::Json
    }

    async fn status(&self, name: Option<&str>, watch: bool) -> anyhow::Result<()> {
        let mut shown = String::new();
        loop {
            let views = match name {
                Some(name) => vec![self.client.show(name).await?],
                None => self.client.list().await?,
            };
            if self.json() {
                let text = serde_json::to_string(&views)?;
                if text != shown {
                    match name {
                        Some(_) => print_json(&views[0])?,
                        None => print_json(&views)?,
                    }
                    shown = text;
                }
            } else {
                let text = overview(&views);
                if text != shown {
                    print(&text)?;
                    shown = text;
                }
            }
            if !watch {
                return Ok(());
            }
            tokio::time::sleep(PERIOD).await;
        }
    }

    async fn change(&self, name: &str, verb: &str, change: Change) -> anyhow::Result<()> {
        let view = self.client.change(name, verb, &change).await?;
        self.show(&view)
    }

    fn show(&self, view: &AutoDeployView) -> anyhow::Result<()> {
        if self.json() {
            return print_json(view);
        }
        Ok(print(&format!("{}: {}\n", view.object.metadata.object_name(), view.decision.message))?)
    }

    /// Waits until no rollout of this auto-deploy is at work.
    async fn settled(&self, name: &str) -> anyhow::Result<AutoDeployView> {
        loop {
            let view = self.client.show(name).await?;
            if view.object.status.as_ref().is_none_or(|status| status.rollout.is_none()) {
                return Ok(view);
            }
            tokio::time::sleep(PERIOD).await;
        }
    }

    async fn sync(&self) -> anyhow::Result<()> {
        let mut failed = Vec::new();
        let mut views = Vec::new();
        for view in self.client.list().await? {
            let name = view.object.metadata.object_name().to_string();
            let before = newest_attempt(&view);
            self.client.change(&name, "scan", &Change::default()).await?;
            let view = self.settled(&name).await?;
            // Nothing to say where nothing changed.
            if newest_attempt(&view) != before && !self.json() {
                print(&format!("{name}: {}\n", view.decision.message))?;
            }
            if matches!(
                view.decision.reason,
                Reason::LookFailed
                    | Reason::PolicyEmpty
                    | Reason::Failed
                    | Reason::RolledBack
                    | Reason::WorkloadMissing
            ) {
                failed.push(format!("{name}: {}", view.decision.message));
            }
            views.push(view);
        }
        if self.json() {
            print_json(&views)?;
        }
        if failed.is_empty() { Ok(()) } else { Err(Failure::no(failed.join("\n"))) }
    }

    async fn restart_all(&self) -> anyhow::Result<()> {
        for view in self.client.list().await? {
            let name = view.object.metadata.object_name().to_string();
            say(format!("restarting {name}"));
            self.client.change(&name, "restart", &by()).await?;
            let view = self.settled(&name).await?;
            let ended = view.object.status.as_ref().and_then(|status| status.history.first());
            if ended.is_some_and(|attempt| attempt.phase != Phase::Succeeded) {
                return Err(Failure::no(format!(
                    "{name}: {}; the rest was not restarted",
                    view.decision.message
                )));
            }
        }
        Ok(())
    }

    async fn list_returns(&self) -> anyhow::Result<()> {
        let views = self.client.list().await?;
        let mut rows = Vec::new();
        let mut objects = Vec::new();
        for view in &views {
            let status = status(view);
            let running = status.running.as_ref().map(|running| running.digest.clone());
            let mut seen = std::collections::BTreeSet::new();
            for attempt in status.history.iter().filter(|attempt| attempt.phase == Phase::Succeeded)
            {
                let release = &attempt.release;
                if Some(&release.digest) == running.as_ref() || !seen.insert(release.digest.clone())
                {
                    continue;
                }
                let held = status.holds.iter().any(|hold| hold.digest == release.digest);
                rows.push(vec![
                    view.object.metadata.object_name().to_string(),
                    release.nickname(),
                    release.digest.short().to_owned(),
                    attempt.ended_at.to_string(),
                    if held { "held" } else { "" }.to_owned(),
                ]);
                objects.push(serde_json::json!({"autoDeploy": view.object.metadata.object_name(), "release": release, "held": held}));
            }
        }
        if self.json() {
            return print_json(&objects);
        }
        if rows.is_empty() {
            say("there is nothing to go back to yet");
            return Ok(());
        }
        print(&table(&["NAME", "RELEASE", "DIGEST", "DEPLOYED", ""], &rows))?;
        say("go back with `mercurious rollback NAME --to RELEASE`");
        Ok(())
    }

    async fn history(&self, name: &str) -> anyhow::Result<()> {
        let attempts = self.client.history(name).await?;
        if self.json() {
            return print_json(&attempts);
        }
        let rows: Vec<Vec<String>> = attempts
            .iter()
            .map(|attempt| {
                vec![
                    attempt.id.to_string(),
                    attempt.ended_at.to_string(),
                    format!("{:?}", attempt.kind),
                    attempt.release.nickname(),
                    attempt.phase.to_string(),
                    attempt.by.to_string(),
                    attempt.message.clone(),
                ]
            })
            .collect();
        Ok(print(&table(&["ID", "ENDED", "KIND", "RELEASE", "END", "BY", "MESSAGE"], &rows))?)
    }

    async fn explain(&self, name: &str) -> anyhow::Result<()> {
        let explanation = self.client.explain(name).await?;
        if self.json() {
            return print_json(&explanation);
        }
        let view = &explanation.auto_deploy;
        let status = status(view);
        let mut text = format!(
            "{}: {}\n  {}\n",
            view.object.metadata.object_name(),
            view.decision.reason,
            view.decision.message
        );
        if let Some(waiting) = &view.decision.waiting_on {
            text.push_str(&format!("  waits on    {waiting}\n"));
        }
        if let Some(running) = &status.running {
            text.push_str(&format!("  runs        {}\n", running.image));
        }
        if let Some(candidate) = &status.candidate {
            text.push_str(&format!(
                "  candidate   {} ({}: {})\n",
                candidate.image, candidate.order, candidate.why
            ));
        }
        for hold in &status.holds {
            text.push_str(&format!(
                "  held        {} by {}: {}\n",
                hold.digest.short(),
                hold.by,
                hold.reason
            ));
        }
        text.push_str(&format!(
            "  looks at    {}: {}\n",
            view.repository.repository, view.repository.policy
        ));
        if let Some(failure) = &view.repository.failure {
            text.push_str(&format!("  look failed {failure}\n"));
        }
        for problem in view.workload.problems.iter().chain(&view.warnings) {
            text.push_str(&format!("  note        {problem}\n"));
        }
        let rows: Vec<Vec<String>> = explanation
            .tags
            .iter()
            .map(|choice| {
                vec![
                    if choice.chosen { "*" } else { "" }.to_owned(),
                    choice.tag.clone(),
                    choice.reason.clone(),
                ]
            })
            .collect();
        text.push('\n');
        text.push_str(&table(&["", "TAG", "WHY"], &rows));
        Ok(print(&text)?)
    }

    /// The guide's six boxes, ticked from evidence.
    async fn verify(&self, name: &str) -> anyhow::Result<()> {
        let view = self.client.show(name).await?;
        let status = status(&view);
        let last = status.history.first();
        let candidate = status.candidate.as_ref();
        let running = status.running.as_ref();
        let workload = &view.workload;
        let boxes = [
            ("new tag visible in the registry", candidate.is_some_and(|it| it.tag.is_some())),
            (
                "repository looked at, tag found",
                view.repository.failure.is_none() && view.repository.tags > 0,
            ),
            ("policy selects an image", candidate.is_some()),
            (
                "replicas run the selected image",
                running.is_some()
                    && running.map(|it| &it.digest) == candidate.map(|it| &it.digest)
                    && workload.total == workload.desired,
            ),
            (
                "checks passed, replicas ready",
                workload.available >= workload.desired
                    && last.is_some_and(|attempt| attempt.phase == Phase::Succeeded),
            ),
            ("no problem reported", workload.problems.is_empty()),
        ];
        if self.json() {
            let rows: Vec<_> = boxes
                .iter()
                .map(|(what, ticked)| serde_json::json!({"check": what, "passed": ticked}))
                .collect();
            print_json(&rows)?;
        } else {
            let lines: String = boxes
                .iter()
                .map(|(what, ticked)| format!("[{}] {what}\n", if *ticked { "x" } else { " " }))
                .collect();
            print(&lines)?;
        }
        if boxes.iter().all(|(_, ticked)| *ticked) {
            Ok(())
        } else {
            Err(Failure::no(format!("{name} is not verified: {}", view.decision.message)))
        }
    }

    async fn doctor(&self) -> anyhow::Result<()> {
        let mut findings: Vec<(String, String, &'static str)> = Vec::new();
        for view in self.client.list().await? {
            let name = view.object.metadata.object_name().to_string();
            let mut add =
                |what: String, remedy: &'static str| findings.push((name.clone(), what, remedy));
            if let Some(failure) = &view.repository.failure {
                add(
                    failure.clone(),
                    "check secretRef, the credential's rights, and that the image exists",
                );
            }
            if view.suspended {
                add("is suspended: nothing moves by itself".to_owned(), "mercurious resume NAME");
            }
            match view.decision.reason {
                Reason::PolicyEmpty => add(
                    view.decision.message.clone(),
                    "compare filterTags with the tags that your build pushes",
                ),
                Reason::Held => add(
                    view.decision.message.clone(),
                    "push a newer image, or mercurious resume NAME",
                ),
                Reason::Older
                | Reason::ForeignRepository
                | Reason::WorkloadMissing
                | Reason::ContainerMissing
                | Reason::Paused
                | Reason::Failed => {
                    add(view.decision.message.clone(), "mercurious explain NAME tells more");
                }
                _ => {}
            }
            for problem in &view.workload.problems {
                add(problem.clone(), "mercurious logs NAME shows what the replicas print");
            }
            for warning in &view.warnings {
                add(warning.clone(), "correct the ImagePolicy");
            }
        }
        if self.json() {
            let rows: Vec<_> = findings
                .iter()
                .map(|(name, what, remedy)| serde_json::json!({"autoDeploy": name, "finding": what, "remedy": remedy}))
                .collect();
            print_json(&rows)?;
        } else if findings.is_empty() {
            print("no cause of trouble found\n")?;
        } else {
            let lines: String = findings
                .iter()
                .map(|(name, what, remedy)| format!("{name}: {what}\n    remedy: {remedy}\n"))
                .collect();
            print(&lines)?;
        }
        if findings.is_empty() {
            Ok(())
        } else {
            Err(Failure::no(format!("{} findings", findings.len())))
        }
    }
}

fn status(view: &AutoDeployView) -> AutoDeployStatus {
    view.object.status.clone().unwrap_or_default()
}

fn newest_attempt(view: &AutoDeployView) -> Option<u64> {
    status(view).history.first().map(|attempt| attempt.id.0)
}

fn overview(views: &[AutoDeployView]) -> String {
    let rows: Vec<Vec<String>> = views
        .iter()
        .map(|view| {
            let status = status(view);
            let running = status.running.as_ref().map(|running| {
                running
                    .tag
                    .as_ref()
                    .map_or_else(|| running.digest.short().to_owned(), ToString::to_string)
            });
            vec![
                view.object.metadata.object_name().to_string(),
                running.unwrap_or_else(|| "-".to_owned()),
                format!("{}/{}", view.workload.available, view.workload.desired),
                view.decision.reason.to_string(),
                view.decision.message.clone(),
            ]
        })
        .collect();
    table(&["NAME", "RUNNING", "READY", "STATE", "WHY"], &rows)
}
