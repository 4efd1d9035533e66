//! The commands that read what an engine did in a cluster, and leave what it is to do.

use std::{sync::Arc, time::Duration};

use mercurious_core::{
    decide::{Ask, Reason},
    resources::{ConditionStatus, ObjectName},
    rollout::Actor,
};
use mercurious_kubernetes::{Desk, Shown};
use mercurious_runtime::{SystemClock, Tasks};

use super::cluster;
use crate::{
    cli::{Command, Globals, Output},
    failure::Failure,
    output::{print, print_json, say, table},
    settings,
};

/// An engine answers within its pass; the CronJob makes one every two minutes.
const ANSWER: Duration = Duration::from_secs(150);

pub(crate) async fn run(command: Command, globals: &Globals) -> anyhow::Result<()> {
    let connection = cluster::connect(globals).await?;
    let scope = cluster::scope(globals, &connection);
    let tasks = Tasks::new();
    let platform = mercurious_core::image::Platform::of_this_program();
    let clock = Arc::new(SystemClock);
    let desk = Desk::open(connection.client, &scope, (&[], &platform), clock, &tasks).await?;
    let session = Session { desk, globals };
    match command {
        Command::Status { name, .. } => session.status(name.as_deref()),
        Command::Explain { name } => session.explain(&name).await,
        Command::History { name } => session.history(&name),
        Command::Scan { name } => {
            let (name, _) = session.desk.find(&name)?;
            let repository = session.desk.scan(name).await?;
            session.say(format!("ImageRepository {repository} is to be looked at now"));
            Ok(())
        }
        Command::Suspend { name } => {
            let (name, _) = session.desk.find(&name)?;
            session.desk.suspend(name, true).await?;
            session.say(format!("{name} is suspended"));
            Ok(())
        }
        Command::Deploy { name, to } => {
            let (name, shown) = session.desk.find(&name)?;
            let text = match (to, shown.object.status.as_ref().and_then(|it| it.candidate.as_ref()))
            {
                (Some(to), _) => to,
                (None, Some(candidate)) => candidate.digest.to_string(),
                (None, None) => {
                    return Err(Failure::no("no newest release is known yet; name one with --to"));
                }
            };
            let release = Box::new(session.desk.release(name, &text).await?);
            session.ask(name, Ask::Deploy(release)).await
        }
        Command::Rollback { name: Some(name), to, list: false } => {
            let (name, _) = session.desk.find(&name)?;
            let release = session.named(name, to.as_deref()).await?;
            session.ask(name, Ask::Rollback(release)).await
        }
        Command::Restart { name: Some(name), .. } => {
            let (name, _) = session.desk.find(&name)?;
            session.ask(name, Ask::Restart).await
        }
        Command::Hold { name, release, reason } => {
            let (name, _) = session.desk.find(&name)?;
            let release = session.named(name, release.as_deref()).await?;
            session.ask(name, Ask::hold(release, reason.as_deref())).await
        }
        Command::Resume { name, release } => {
            let (name, shown) = session.desk.find(&name)?;
            // A suspension is for a while, a hold is for a release: ending the one does not try the other again.
            if release.is_none() && shown.object.spec.suspend {
                session.desk.suspend(name, false).await?;
                session.say(format!("{name} is not suspended any more; what is held stays so"));
                return Ok(());
            }
            let release = session.named(name, release.as_deref()).await?;
            session.ask(name, Ask::Resume(release.map(|release| release.digest))).await
        }
        Command::Logs { name, lines, .. } => {
            let (name, _) = session.desk.find(&name)?;
            let target = session.desk.wish(name)?.target.clone();
            let lines = session.desk.ports().workloads.log_lines(&target, lines).await;
            Ok(print(&lines.iter().map(|line| format!("{line}\n")).collect::<String>())?)
        }
        Command::Verify { name } => {
            let (name, _) = session.desk.find(&name)?;
            super::verify::show(&session.desk.verify(name).await?, session.json())
        }
        Command::Doctor(_) => session.doctor().await,
        _ => Err(Failure::usage(
            "this command works on one machine only; leave --kubeconfig and --context out",
        )),
    }
}

/// Whether a command can be answered by a cluster.
pub(crate) fn is_known(command: &Command) -> bool {
    matches!(
        command,
        Command::Status { .. }
            | Command::Explain { .. }
            | Command::History { .. }
            | Command::Scan { .. }
            | Command::Suspend { .. }
            | Command::Deploy { .. }
            | Command::Rollback { .. }
            | Command::Restart { .. }
            | Command::Hold { .. }
            | Command::Resume { .. }
            | Command::Logs { .. }
            | Command::Verify { .. }
            | Command::Doctor(_)
    )
}

struct Session<'a> {
    desk: Desk,
    globals: &'a Globals,
}

impl Session<'_> {
    fn say(&self, text: String) {
        if !self.globals.quiet {
            say(text);
        }
    }

    fn json(&self) -> bool {
        self.globals.output == Output::Json
    }

    async fn named(
        &self,
        name: &ObjectName,
        text: Option<&str>,
    ) -> anyhow::Result<Option<Box<mercurious_core::image::Release>>> {
        Ok(match text {
            Some(text) => Some(Box::new(self.desk.release(name, text).await?)),
            None => None,
        })
    }

    async fn ask(&self, name: &ObjectName, ask: Ask) -> anyhow::Result<()> {
        let id = self.desk.ask(name, ask, Actor(settings::person())).await?;
        let answer = self.desk.answer(name, &id, ANSWER).await?;
        if answer.reason == Reason::Refused {
            return Err(Failure::no(answer.message));
        }
        self.say(answer.message);
        Ok(())
    }

    fn status(&self, name: Option<&str>) -> anyhow::Result<()> {
        let all: Vec<(&ObjectName, &Shown)> = match name {
            Some(name) => vec![self.desk.find(name)?],
            None => self.desk.all().collect(),
        };
        if self.json() {
            let objects: Vec<_> = all.iter().map(|(_, shown)| &shown.object).collect();
            return print_json(&objects);
        }
        let rows: Vec<Vec<String>> = all.iter().map(|(name, shown)| row(name, shown)).collect();
        Ok(print(&table(&["NAME", "RUNNING", "NEWEST", "PHASE", "READY", "STATUS"], &rows))?)
    }

    async fn explain(&self, name: &str) -> anyhow::Result<()> {
        let (name, shown) = self.desk.find(name)?;
        if self.json() {
            return print_json(&shown.object);
        }
        let mut text = format!("{name}\n");
        if let Some(fault) = &shown.fault {
            text.push_str(&format!("  cannot be understood: {fault}\n"));
        }
        if let Some(status) = &shown.object.status {
            for condition in &status.conditions {
                text.push_str(&format!(
                    "  {:<11} {:?} {}: {}\n",
                    condition.kind, condition.status, condition.reason, condition.message
                ));
            }
            if let Some(candidate) = &status.candidate {
                text.push_str(&format!(
                    "  newest      {} by {}: {}\n",
                    candidate.image, candidate.order, candidate.why
                ));
            }
            for hold in &status.holds {
                text.push_str(&format!(
                    "  held        {} by {} since {}: {}\n",
                    hold.tag
                        .as_ref()
                        .map_or_else(|| hold.digest.short().to_string(), ToString::to_string),
                    hold.by,
                    hold.since,
                    hold.reason
                ));
            }
        } else {
            text.push_str(
                "  no engine has looked at it yet: is a controller or a CronJob at work?\n",
            );
        }
        for note in self.desk.notes(name).await {
            text.push_str(&format!("  note        {}: {}\n", note.what, note.remedy));
        }
        for entry in &shown.decisions {
            text.push_str(&format!("  {}  {}: {}\n", entry.at, entry.reason, entry.message));
        }
        for choice in self.desk.tag_choices(name) {
            let mark = if choice.chosen { "*" } else { " " };
            text.push_str(&format!("  {mark} {}  {}\n", choice.tag, choice.reason));
        }
        Ok(print(&text)?)
    }

    async fn doctor(&self) -> anyhow::Result<()> {
        let mut text = String::new();
        let mut found = 0;
        for (name, _) in self.desk.all() {
            for finding in self.desk.examine(name).await {
                found += 1;
                text.push_str(&format!("{name}: {}\n  remedy: {}\n", finding.what, finding.remedy));
            }
        }
        print(&text)?;
        match (found, self.desk.all().count()) {
            (0, 0) => {
                Err(Failure::no("there is no AutoDeploy in the namespaces that are looked at"))
            }
            (0, count) => {
                self.say(format!("nothing is wrong with {count} auto-deploys"));
                Ok(())
            }
            (found, _) => Err(Failure::no(format!("{found} findings"))),
        }
    }

    fn history(&self, name: &str) -> anyhow::Result<()> {
        let (_, shown) = self.desk.find(name)?;
        let history = shown.object.status.as_ref().map(|status| status.history.as_slice());
        let history = history.unwrap_or_default();
        if self.json() {
            return print_json(&history);
        }
        let rows: Vec<Vec<String>> = history
            .iter()
            .map(|attempt| {
                vec![
                    attempt.id.to_string(),
                    attempt.ended_at.to_string(),
                    attempt.release.nickname(),
                    attempt.phase.to_string(),
                    attempt.by.to_string(),
                    attempt.message.clone(),
                ]
            })
            .collect();
        Ok(print(&table(&["ID", "ENDED", "RELEASE", "PHASE", "BY", "WHAT"], &rows))?)
    }
}

fn row(name: &ObjectName, shown: &Shown) -> Vec<String> {
    let dash = || "-".to_owned();
    let status = shown.object.status.clone().unwrap_or_default();
    let ready = status.conditions.iter().find(|condition| condition.kind == "Ready");
    let release = |release: &mercurious_core::resources::ReleaseStatus| {
        release.tag.as_ref().map_or_else(|| release.digest.short().to_string(), ToString::to_string)
    };
    vec![
        name.to_string(),
        status.running.as_ref().map_or_else(dash, release),
        status
            .candidate
            .as_ref()
            .and_then(|candidate| candidate.tag.as_ref())
            .map_or_else(dash, ToString::to_string),
        status.rollout.as_ref().map_or_else(dash, |rollout| rollout.phase.to_string()),
        ready.map_or_else(dash, |ready| match ready.status {
            ConditionStatus::True => "yes".to_owned(),
            ConditionStatus::False => "no".to_owned(),
            ConditionStatus::Unknown => "unknown".to_owned(),
        }),
        shown.fault.clone().or(ready.map(|ready| ready.message.clone())).unwrap_or_else(dash),
    ]
}
