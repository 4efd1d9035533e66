//! Each known cause of trouble that can be seen from here, with its remedy.

mod engine;
#[cfg(feature = "home")]
mod home;
mod machine;
mod manifests;
mod remedy;

use mercurious_api::{ApiClient, ClientError};
use serde::Serialize;

use crate::{
    cli::{DoctorArgs, Globals, Output},
    failure::Failure,
    output::{print, print_json},
    settings,
};

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Severity {
    /// Something does not work.
    Error,
    /// Something deserves a look.
    Warning,
}

/// One cause of trouble.
#[derive(Serialize)]
struct Finding {
    severity: Severity,
    /// What it is about.
    subject: String,
    #[serde(rename = "finding")]
    what: String,
    remedy: String,
}

/// What was found, and what was looked into.
#[derive(Default, Serialize)]
struct Examination {
    checked: Vec<String>,
    findings: Vec<Finding>,
}

impl Examination {
    fn checked(&mut self, what: impl Into<String>) {
        self.checked.push(what.into());
    }

    fn error(
        &mut self,
        subject: impl Into<String>,
        finding: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(Severity::Error, subject.into(), finding.into(), remedy.into());
    }

    fn warning(
        &mut self,
        subject: impl Into<String>,
        finding: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(Severity::Warning, subject.into(), finding.into(), remedy.into());
    }

    fn add(&mut self, severity: Severity, subject: String, what: String, remedy: String) {
        self.findings.push(Finding { severity, subject, what, remedy });
    }
}

pub(crate) async fn run(args: &DoctorArgs, globals: &Globals) -> anyhow::Result<()> {
    let root = settings::data_directory(globals)?;
    let client = ApiClient::new(&root);
    let mut examination = Examination::default();
    let running = match client.list().await {
        Ok(views) => {
            engine::examine(&views, &client.warnings().await?, &mut examination);
            true
        }
        Err(ClientError::NotRunning { .. }) => {
            examination.checked("no engine runs with this data directory");
            false
        }
        Err(error) => {
            let remedy = "stop it and start it again; `mercurious up` of this version must run";
            examination.error("engine", error.to_string(), remedy);
            true
        }
    };
    #[cfg(feature = "home")]
    home::examine(args, &root, running, &mut examination).await;
    #[cfg(not(feature = "home"))]
    let _ = running;
    machine::examine(&root, &mut examination);
    if !args.filenames.is_empty() {
        manifests::examine(&args.filenames, &mut examination);
    }
    examination.findings.sort_by_key(|finding| finding.severity);
    if globals.output == Output::Json {
        print_json(&examination)?;
    } else {
        print(&render(&examination))?;
    }
    let errors =
        examination.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    match errors {
        0 => Ok(()),
        1 => Err(Failure::no("one cause of trouble was found")),
        many => Err(Failure::no(format!("{many} causes of trouble were found"))),
    }
}

fn render(examination: &Examination) -> String {
    let mut text: String =
        examination.checked.iter().map(|checked| format!("checked: {checked}\n")).collect();
    for Finding { severity, subject, what, remedy } in &examination.findings {
        let severity = if *severity == Severity::Error { "error" } else { "warning" };
        text.push_str(&format!("{severity}: {subject}: {what}\n    remedy: {remedy}\n"));
    }
    if examination.findings.is_empty() {
        text.push_str("no cause of trouble found\n");
    }
    text
}
