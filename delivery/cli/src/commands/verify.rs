use mercurious_engine::Verification;

use super::session::Session;
use crate::{
    failure::Failure,
    output::{print, print_json},
};

impl Session<'_> {
    /// The guide's six boxes, ticked by the engine from evidence.
    pub(super) async fn verify(&self, name: &str) -> anyhow::Result<()> {
        show(&self.client.verify(name).await?, self.json())
    }
}

/// Prints a checklist; the exit code says whether every box is ticked.
pub(super) fn show(answer: &Verification, json: bool) -> anyhow::Result<()> {
    if json {
        print_json(answer)?;
    } else {
        let mut text = String::new();
        for it in &answer.boxes {
            text.push_str(&format!("[{}] {}\n", if it.passed { "x" } else { " " }, it.title));
            for evidence in &it.evidence {
                text.push_str(&format!("      {evidence}\n"));
            }
        }
        print(&text)?;
    }
    if answer.verified {
        return Ok(());
    }
    let open = answer.boxes.iter().filter(|it| !it.passed).map(|it| it.title.as_str());
    let open: Vec<&str> = open.collect();
    Err(Failure::no(format!("{} is not verified: {}", answer.auto_deploy, open.join("; "))))
}
