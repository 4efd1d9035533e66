use mercurious_api::LogEvent;

use super::session::Session;
use crate::output::{print, print_json, print_json_line, say};

impl Session<'_> {
    pub(super) async fn logs(&self, name: &str, lines: usize) -> anyhow::Result<()> {
        let lines = self.client.logs(name, lines).await?;
        if self.json() {
            return print_json(&lines);
        }
        Ok(print(&lines.iter().map(|line| format!("{line}\n")).collect::<String>())?)
    }

    /// Goes on until the engine stops; that is an end like any other.
    pub(super) async fn follow_logs(&self, name: &str, lines: usize) -> anyhow::Result<()> {
        let mut log = self.client.follow_logs(name, lines).await?;
        while let Some(event) = log.next().await? {
            match event {
                LogEvent::Line(line) if self.json() => print_json_line(&line)?,
                LogEvent::Line(line) => print(&format!("{line}\n"))?,
                LogEvent::Missed(count) => say(format!("({count} lines came too fast)")),
            }
        }
        say("the engine stopped");
        Ok(())
    }
}
