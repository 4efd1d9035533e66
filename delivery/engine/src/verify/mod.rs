//! The checklist of a deployment: six boxes, each ticked from evidence that is gathered now.

mod logs;

use std::time::Duration;

use mercurious_core::{
    image::{Digest, Release},
    resources::{AutoDeployStatus, CandidateStatus, CheckSpec, ObjectName},
};
use serde::{Deserialize, Serialize};

use crate::{
    AutoDeployView, Place, Seen, Wish,
    engine::Ports,
    ports::{Checker, ImageSource},
};
use logs::LINES;

/// The answers to the checklist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// Which auto-deploy.
    pub auto_deploy: ObjectName,
    /// Whether every box is ticked.
    pub verified: bool,
    /// The six boxes, in the checklist's order.
    pub boxes: Vec<VerifiedBox>,
}

/// One box of the checklist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct VerifiedBox {
    /// A stable code: `tag`, `repository`, `policy`, `replicas`, `checks` or `logs`.
    pub code: String,
    /// What is asked.
    pub title: String,
    /// Whether the box is ticked.
    pub passed: bool,
    /// What was seen, and where.
    pub evidence: Vec<String>,
}

/// No question of the checklist is waited for longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Goes through the checklist.
pub async fn verify(
    wish: &Wish,
    place: &Place,
    view: &AutoDeployView,
    seen: &Seen,
    ports: &Ports,
) -> Verification {
    let status = view.object.status.clone().unwrap_or_default();
    let subject = Subject { wish, place, view, seen, status: &status };
    let release = subject.release();
    let boxes = vec![
        subject.tag(ports.source.as_ref(), ports.clock.now()).await,
        subject.repository(),
        subject.policy(),
        subject.replicas(),
        subject.checks(ports.checker.as_ref(), release.as_ref()).await,
        subject.logs(&ports.workloads.log_lines(&wish.target, LINES).await),
    ];
    Verification {
        auto_deploy: wish.target.auto_deploy.clone(),
        verified: boxes.iter().all(|it| it.passed),
        boxes,
    }
}

struct Subject<'a> {
    wish: &'a Wish,
    place: &'a Place,
    view: &'a AutoDeployView,
    seen: &'a Seen,
    status: &'a AutoDeployStatus,
}

impl Subject<'_> {
    fn candidate(&self) -> Result<&CandidateStatus, String> {
        self.status
            .candidate
            .as_ref()
            .ok_or_else(|| format!("no image is selected: {}", self.view.decision.message))
    }

    /// What runs, as checks are asked about it.
    fn release(&self) -> Option<Release> {
        let running = self.status.running.as_ref()?;
        Some(Release {
            repository: self.place.repository.clone(),
            digest: running.digest.clone(),
            tag: running.tag.clone(),
            commit: running.commit.clone(),
            built_at: running.built_at,
            platforms: std::sync::Arc::default(),
        })
    }

    /// The registry is asked now: the tag must still be there, and be what was selected.
    async fn tag(&self, source: &dyn ImageSource, now: jiff::Timestamp) -> VerifiedBox {
        let question = async {
            let candidate = self.candidate()?;
            let reference = candidate
                .tag
                .as_ref()
                .map_or_else(|| candidate.digest.to_string(), ToString::to_string);
            let found = tokio::time::timeout(PATIENCE, source.head(self.place, &reference))
                .await
                .map_err(|_| {
                    format!("no answer from {} within {PATIENCE:?}", self.place.repository)
                })?
                .map_err(|error| error.to_string())?;
            let repository = &self.place.repository;
            match found {
                Some(found) if found == candidate.digest => Ok(format!(
                    "{repository} has {reference} as {}, asked {}",
                    found.short(),
                    now.strftime("%H:%M:%SZ")
                )),
                Some(found) => Err(format!(
                    "{repository} has {reference} as {} now; {} was selected",
                    found.short(),
                    candidate.digest.short()
                )),
                None => Err(format!("{repository} has no {reference} (any more)")),
            }
        };
        answer("tag", "the new tag is visible in the registry", question.await)
    }

    fn repository(&self) -> VerifiedBox {
        let view = &self.view.repository;
        let question = || {
            if let Some(failure) = &view.failure {
                return Err(format!("the last look failed: {failure}"));
            }
            let Some(looked_at) = view.looked_at else {
                return Err(format!("{} has not been looked at yet", view.repository));
            };
            let candidate = self.candidate()?;
            let among = format!(
                "{} tags of {}, looked at {}",
                view.tags,
                view.repository,
                looked_at.strftime("%Y-%m-%d %H:%M:%SZ")
            );
            let Some(tag) = &candidate.tag else { return Ok(among) };
            let known = self.seen.tags.get(tag).cloned().flatten();
            match known.or_else(|| self.seen.anchors.get(tag).cloned()) {
                Some(digest) if digest == candidate.digest => Ok(format!("{tag} is among {among}")),
                _ => Err(format!("{tag} is not among {among}")),
            }
        };
        answer("repository", "the ImageRepository has found the tag", question())
    }

    fn policy(&self) -> VerifiedBox {
        let question = self.candidate().map(|candidate| {
            format!(
                "ImagePolicy {} ({}) selects {}: {}",
                self.wish.policy_name, self.view.repository.policy, candidate.image, candidate.why
            )
        });
        answer("policy", "the ImagePolicy selects the right image", question)
    }

    fn replicas(&self) -> VerifiedBox {
        let workload = &self.view.workload;
        let mut passed = true;
        let mut evidence = Vec::new();
        let mut say = |good: bool, text: String| {
            passed &= good;
            evidence.push(text);
        };
        let runs = self.status.running.as_ref();
        match (self.candidate(), runs) {
            (Ok(candidate), Some(running)) if running.digest == candidate.digest => {
                say(true, format!("{} runs", running.image));
            }
            (Ok(candidate), Some(running)) => {
                say(false, format!("{} runs, not {}", running.image, candidate.image));
            }
            (Ok(candidate), None) => say(false, format!("{} does not run yet", candidate.image)),
            (Err(message), _) => say(false, message),
        }
        let old = workload.total.saturating_sub(workload.updated);
        say(
            old == 0 && workload.updated >= workload.desired,
            format!(
                "{} of {} replicas run {}, {old} others",
                workload.updated,
                workload.desired,
                workload
                    .image
                    .as_deref()
                    .and_then(pinned)
                    .unwrap_or_else(|| "no digest".to_owned())
            ),
        );
        if let Some(rollout) = &self.status.rollout {
            let waiting = rollout.waiting_on.as_deref().unwrap_or("nothing");
            say(
                false,
                format!("rollout {} is {}, waiting on {waiting}", rollout.id, rollout.phase),
            );
        } else if let Some(last) = self.status.history.first() {
            say(
                last.phase == mercurious_core::rollout::Phase::Succeeded,
                format!(
                    "rollout {} of {} ended {} at {}: {}",
                    last.id,
                    last.release.nickname(),
                    last.phase,
                    last.ended_at.strftime("%Y-%m-%d %H:%M:%SZ"),
                    last.message
                ),
            );
        }
        for problem in &workload.problems {
            say(false, problem.clone());
        }
        VerifiedBox {
            code: "replicas".to_owned(),
            title: "the replicas were replaced and run the new image".to_owned(),
            passed,
            evidence,
        }
    }

    /// Every check is asked once, now.
    async fn checks(&self, checker: &dyn Checker, release: Option<&Release>) -> VerifiedBox {
        let workload = &self.view.workload;
        let mut passed = workload.desired > 0 && workload.available >= workload.desired;
        let mut evidence =
            vec![format!("{} of {} replicas are ready", workload.available, workload.desired)];
        let checks = &self.view.object.spec.checks;
        for check in checks {
            let Some(release) = release else {
                passed = false;
                evidence.push(format!("{} was not asked: nothing runs yet", check.name));
                continue;
            };
            let asked = checker.ask(check, &self.wish.target, release);
            let outcome = match tokio::time::timeout(PATIENCE, asked).await {
                Ok(outcome) => outcome,
                Err(_) => Err(format!("no answer within {PATIENCE:?}")),
            };
            passed &= outcome.is_ok();
            evidence.push(match outcome {
                Ok(()) => format!("check {}: yes: {}", check.name, wanted(check)),
                Err(message) => format!("check {}: no: {message}", check.name),
            });
        }
        if checks.is_empty() {
            evidence.push("spec.checks names none: only readiness was asked".to_owned());
        }
        VerifiedBox {
            code: "checks".to_owned(),
            title: "the services answer".to_owned(),
            passed,
            evidence,
        }
    }
}

fn answer(code: &str, title: &str, outcome: Result<String, String>) -> VerifiedBox {
    let passed = outcome.is_ok();
    let (Ok(evidence) | Err(evidence)) = outcome;
    VerifiedBox { code: code.to_owned(), title: title.to_owned(), passed, evidence: vec![evidence] }
}

fn pinned(image: &str) -> Option<String> {
    let digest: &str = image.split_once('@')?.1;
    digest.parse::<Digest>().ok().map(|digest| digest.short().to_owned())
}

/// What a check asks, for people.
fn wanted(check: &CheckSpec) -> String {
    let http = check.http.as_ref().map(|http| {
        let status = http.status.map_or("2xx".to_owned(), |status| status.to_string());
        match &http.contains {
            Some(text) => format!("{} answered {status} and contains `{text}`", http.url),
            None => format!("{} answered {status}", http.url),
        }
    });
    let logs = check.logs.as_ref().map(|logs| format!("no line matches `{}`", logs.deny));
    http.into_iter().chain(logs).collect::<Vec<_>>().join(", ")
}
