use mercurious_api::Explanation;

use super::session::{Session, name_of, status_of};
use crate::output::{print, print_json, table};

impl Session<'_> {
    pub(super) async fn explain(&self, name: &str) -> anyhow::Result<()> {
        let explanation = self.client.explain(name).await?;
        if self.json() {
            return print_json(&explanation);
        }
        Ok(print(&render(&explanation))?)
    }
}

fn render(explanation: &Explanation) -> String {
    let view = &explanation.auto_deploy;
    let status = status_of(view);
    let mut text =
        format!("{}: {}\n  {}\n", name_of(view), view.decision.reason, view.decision.message);
    let mut line = |what: &str, value: String| text.push_str(&format!("  {what:<11} {value}\n"));
    if let Some(waiting) = &view.decision.waiting_on {
        line("waits on", waiting.clone());
    }
    if let Some(running) = &status.running {
        line("runs", running.image.to_string());
    }
    if let Some(candidate) = &status.candidate {
        line("candidate", format!("{} ({}: {})", candidate.image, candidate.order, candidate.why));
    }
    for hold in &status.holds {
        line("held", format!("{} by {}: {}", hold.digest.short(), hold.by, hold.reason));
    }
    line("looks at", format!("{}: {}", view.repository.repository, view.repository.policy));
    if let Some(failure) = &view.repository.failure {
        line("look failed", failure.clone());
    }
    for problem in view.workload.problems.iter().chain(&view.warnings) {
        line("note", problem.clone());
    }
    let rows: Vec<Vec<String>> = explanation
        .tags
        .iter()
        .map(|choice| {
            let mark = if choice.chosen { "*" } else { "" };
            vec![mark.to_owned(), choice.tag.clone(), choice.reason.clone()]
        })
        .collect();
    if !rows.is_empty() {
        text.push('\n');
        text.push_str(&table(&["", "TAG", "WHY"], &rows));
    }
    text
}
