use super::session::Session;
use crate::output::{print, print_json, table};

impl Session<'_> {
    pub(super) async fn history(&self, name: &str) -> anyhow::Result<()> {
        let attempts = self.client.history(name).await?;
        if self.json() {
            return print_json(&attempts);
        }
        let rows: Vec<Vec<String>> = attempts
            .iter()
            .map(|attempt| {
                vec![
                    attempt.id.to_string(),
                    attempt.ended_at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
                    format!("{:?}", attempt.kind),
                    attempt.release.nickname_among(attempts.iter().map(|attempt| &attempt.release)),
                    attempt.phase.to_string(),
                    attempt.by.to_string(),
                    attempt.message.clone(),
                ]
            })
            .collect();
        Ok(print(&table(&["ID", "ENDED", "KIND", "RELEASE", "END", "BY", "MESSAGE"], &rows))?)
    }
}
