use std::{collections::BTreeMap, io::IsTerminal as _};

use mercurious_api::{Live, UnsteeredWorkload};
use mercurious_core::resources::{AutoDeployStatus, ObjectName};
use mercurious_engine::AutoDeployView;

use super::session::{Session, name_of, status_of};
use crate::{
    failure::Failure,
    output::{print, print_json, print_json_line, say, table},
};

/// Moves the cursor home and clears the screen.
const REDRAW: &str = "\x1b[H\x1b[2J";

const HEADING: [&str; 5] = ["NAME", "RUNNING", "READY", "STATE", "WHY"];

impl Session<'_> {
    pub(super) async fn status(&self, name: Option<&str>) -> anyhow::Result<()> {
        let views = match name {
            Some(name) => vec![self.client.show(name).await?],
            None => self.client.list().await?,
        };
        match name {
            Some(_) if self.json() => print_json(&views[0]),
            None if self.json() => print_json(&views),
            Some(_) => show_rows(&views, &[]),
            None => show_rows(&views, &self.client.unsteered().await?),
        }
    }

    /// Goes on showing what changes, as the engine tells it.
    pub(super) async fn watch(&self, name: Option<&str>) -> anyhow::Result<()> {
        let only = match name {
            Some(name) => Some(self.client.show(name).await?.object.metadata.object_name()),
            None => None,
        };
        let mut follow = self.client.follow().await?;
        let mut screen = Screen {
            json: self.json(),
            redraws: !self.json() && std::io::stdout().is_terminal(),
            shown: BTreeMap::new(),
        };
        loop {
            let views = match follow.next().await? {
                Some(Live::Snapshot(views)) => views,
                Some(Live::View(view)) => vec![*view],
                Some(Live::Event(_)) => continue,
                None => return Err(Failure::failed("the engine stopped")),
            };
            let wanted = views.into_iter().filter(|view| {
                only.as_ref().is_none_or(|only| *only == view.object.metadata.object_name())
            });
            screen.show(wanted.collect())?;
        }
    }
}

fn show_rows(views: &[AutoDeployView], rest: &[UnsteeredWorkload]) -> anyhow::Result<()> {
    let rows: Vec<Vec<String>> =
        views.iter().map(row).chain(rest.iter().map(unsteered_row)).collect();
    if rows.is_empty() {
        say("nothing runs; name manifests with `mercurious up -f PATH`");
    }
    Ok(print(&table(&HEADING, &rows))?)
}

/// What was shown last, by name.
struct Screen {
    json: bool,
    redraws: bool,
    shown: BTreeMap<ObjectName, AutoDeployView>,
}

impl Screen {
    fn show(&mut self, views: Vec<AutoDeployView>) -> anyhow::Result<()> {
        let mut changed = Vec::new();
        for mut view in views {
            // That the registry was looked at once more is no change.
            let looked_at = view.repository.looked_at.take();
            let name = view.object.metadata.object_name();
            let before = self.shown.get(&name);
            let differs = if self.json {
                before != Some(&view)
            } else {
                // Where lines stay, a clock in a message is no news.
                let news =
                    |row: &[String]| if self.redraws { row.to_vec() } else { row[..4].to_vec() };
                before.is_none_or(|before| news(&row(before)) != news(&row(&view)))
            };
            if differs {
                let whole = AutoDeployView {
                    repository: mercurious_engine::RepositoryView {
                        looked_at,
                        ..view.repository.clone()
                    },
                    ..view.clone()
                };
                changed.push(whole);
                self.shown.insert(name, view);
            }
        }
        if changed.is_empty() {
            return Ok(());
        }
        if self.json {
            return changed.iter().try_for_each(print_json_line);
        }
        let rows =
            |views: &mut dyn Iterator<Item = &AutoDeployView>| views.map(row).collect::<Vec<_>>();
        if self.redraws {
            let text = table(&HEADING, &rows(&mut self.shown.values()));
            return Ok(print(&format!("{REDRAW}{text}"))?);
        }
        let text: String = rows(&mut changed.iter())
            .iter()
            .map(|row| format!("{}\n", row.join("   ").trim_end()))
            .collect();
        Ok(print(&text)?)
    }
}

fn unsteered_row(it: &UnsteeredWorkload) -> Vec<String> {
    let workload = &it.workload;
    let image = workload.image.as_deref().unwrap_or("-");
    // Its own name tells where it lies; what differs is behind the last slash.
    let image = image.rsplit('/').next().unwrap_or(image);
    let why = match workload.problems.first() {
        Some(problem) => problem.clone(),
        None => "no AutoDeploy names it: it runs what its manifest says".to_owned(),
    };
    vec![
        format!("{}/{}", it.namespace, workload.name),
        image.to_owned(),
        format!("{}/{}", workload.ready, workload.desired),
        "Unsteered".to_owned(),
        why,
    ]
}

/// What runs, with its digest where its tag alone could mean another release too.
fn running(status: &AutoDeployStatus) -> Option<String> {
    let running = status.running.as_ref()?;
    let Some(tag) = &running.tag else {
        return Some(running.digest.short().to_owned());
    };
    let tried =
        status.history.iter().map(|attempt| (&attempt.release.tag, &attempt.release.digest));
    let held = status.holds.iter().map(|hold| (&hold.tag, &hold.digest));
    let candidate = status.candidate.iter().map(|candidate| (&candidate.tag, &candidate.digest));
    let moved = tried
        .chain(held)
        .chain(candidate)
        .any(|(other, digest)| other.as_ref() == Some(tag) && *digest != running.digest);
    Some(if moved { format!("{tag}@{}", running.digest.short()) } else { tag.to_string() })
}

fn row(view: &AutoDeployView) -> Vec<String> {
    let running = running(&status_of(view));
    let why = match &view.decision.waiting_on {
        Some(waiting) if !view.decision.message.contains(waiting.as_str()) => {
            format!("{}; waits on {waiting}", view.decision.message)
        }
        _ => view.decision.message.clone(),
    };
    vec![
        name_of(view),
        running.unwrap_or_else(|| "-".to_owned()),
        format!("{}/{}", view.workload.ready, view.workload.desired),
        view.decision.reason.to_string(),
        why,
    ]
}
