use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use mercurious_core::{
    decide::CheckOutcome, image::Release, resources::CheckSpec, rollout::RolloutId,
};
use mercurious_runtime::{CancellationToken, Tasks};
use tokio::sync::Notify;

use crate::{Target, ports::Checker};

/// The checks of the rollout at work, each asked again and again until its answer is definite.
pub(crate) struct Checks {
    checker: Arc<dyn Checker>,
    tasks: Tasks,
    changed: Arc<Notify>,
    running: Option<Running>,
}

struct Running {
    rollout: RolloutId,
    answers: Answers,
    stop: CancellationToken,
}

type Answers = Arc<Mutex<BTreeMap<String, CheckOutcome>>>;

impl Checks {
    pub(crate) fn new(checker: Arc<dyn Checker>, tasks: Tasks, changed: Arc<Notify>) -> Self {
        Self { checker, tasks, changed, running: None }
    }

    /// Asks the checks for this rollout from now on; asking again changes nothing.
    pub(crate) fn ask(
        &mut self,
        rollout: RolloutId,
        specs: &[CheckSpec],
        target: &Target,
        release: &Release,
    ) {
        if self.running.as_ref().is_some_and(|running| running.rollout == rollout) {
            return;
        }
        self.stop();
        let answers = Answers::default();
        let stop = self.tasks.stopping().child_token();
        for spec in specs {
            let question = Question {
                checker: Arc::clone(&self.checker),
                spec: spec.clone(),
                target: target.clone(),
                release: release.clone(),
                answers: Arc::clone(&answers),
                changed: Arc::clone(&self.changed),
            };
            let stop = stop.clone();
            self.tasks.spawn("check", async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = question.ask_until_definite() => {}
                }
            });
        }
        self.running = Some(Running { rollout, answers, stop });
    }

    /// Asks no more.
    pub(crate) fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop.cancel();
        }
    }

    /// The answers for this rollout so far.
    pub(crate) fn answers(&self, rollout: Option<RolloutId>) -> BTreeMap<String, CheckOutcome> {
        match &self.running {
            Some(running) if Some(running.rollout) == rollout => {
                running.answers.lock().unwrap_or_else(PoisonError::into_inner).clone()
            }
            _ => BTreeMap::new(),
        }
    }
}

impl Drop for Checks {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Question {
    checker: Arc<dyn Checker>,
    spec: CheckSpec,
    target: Target,
    release: Release,
    answers: Answers,
    changed: Arc<Notify>,
}

impl Question {
    /// Asks each period: so many failures in a row are a definite no, and a later failure takes a yes back.
    async fn ask_until_definite(self) {
        let mut failures = 0;
        loop {
            let outcome = match self.checker.ask(&self.spec, &self.target, &self.release).await {
                Ok(()) => {
                    failures = 0;
                    CheckOutcome::Passed
                }
                Err(message) => {
                    failures += 1;
                    if failures >= self.spec.failure_threshold.max(1) {
                        CheckOutcome::Failed { message }
                    } else {
                        CheckOutcome::Pending { message }
                    }
                }
            };
            let definite = matches!(outcome, CheckOutcome::Failed { .. });
            let before = self
                .answers
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(self.spec.name.clone(), outcome.clone());
            if before.as_ref() != Some(&outcome) {
                self.changed.notify_one();
            }
            if definite {
                return;
            }
            tokio::time::sleep(self.spec.period.0).await;
        }
    }
}
