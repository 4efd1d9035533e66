use std::sync::{Arc, PoisonError};

use mercurious_core::{
    decide::{Ask, Request},
    image::Tag,
    resources::ObjectName,
    rollout::{Actor, RequestId},
};
use tokio::sync::{oneshot, watch};

use crate::{
    AskError, AuditEntry, AutoDeployView, DecisionView, EngineError, RepositoryState, Rest,
    TagChoice, Wish, Wishes,
    detect::tag_choices,
    engine::Ports,
    hints::Hint,
    ports::LogTail,
    seats::{AppSeat, RepositorySeat, Seats},
    verify::{Verification, verify},
};

/// What people may ask of a running engine. Clones share it.
#[derive(Clone)]
pub struct EngineHandle {
    seats: Arc<Seats>,
}

impl EngineHandle {
    pub(crate) fn new(seats: Seats) -> Self {
        Self { seats: Arc::new(seats) }
    }

    /// Replaces all that is wished for. What is new is taken up, what changed is told, what is gone is left where
    /// it is; everything else goes on undisturbed.
    pub fn update(&self, wishes: Wishes) -> Result<(), EngineError> {
        self.seats.update(wishes)
    }

    /// The names of all auto-deploys.
    pub fn names(&self) -> Vec<ObjectName> {
        self.seats.names()
    }

    /// Finds an auto-deploy by `namespace/name`, or by its name alone where that is unambiguous.
    pub fn find(&self, text: &str) -> Result<ObjectName, AskError> {
        let mut candidates = self.names();
        candidates.retain(|name| name.is_meant_by(text));
        match candidates.len() {
            0 => Err(AskError::NoAutoDeploy { name: text.to_owned(), known: self.names() }),
            1 => Ok(candidates.remove(0)),
            _ => Err(AskError::Ambiguous { name: text.to_owned(), candidates }),
        }
    }

    /// All auto-deploys as they are now, waiting for the first decision about each.
    pub async fn list(&self) -> Result<Vec<Arc<AutoDeployView>>, AskError> {
        let mut views = Vec::new();
        for name in self.names() {
            match self.show(&name).await {
                Ok(view) => views.push(view),
                // Gone since it was named.
                Err(AskError::NoAutoDeploy { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(views)
    }

    /// One auto-deploy as it is now, waiting for the first decision about it.
    pub async fn show(&self, name: &ObjectName) -> Result<Arc<AutoDeployView>, AskError> {
        let mut view = self.seat(name)?.view.clone();
        let ready = view.wait_for(Option::is_some).await.map_err(|_| self.gone(name))?;
        ready.clone().ok_or(AskError::Stopping)
    }

    /// Follows one auto-deploy: the receiver changes with each step.
    pub fn follow(
        &self,
        name: &ObjectName,
    ) -> Result<watch::Receiver<Option<Arc<AutoDeployView>>>, AskError> {
        Ok(self.seat(name)?.view)
    }

    /// Says that people may have asked something of an auto-deploy by way of the store.
    pub fn ring(&self, name: &ObjectName) {
        if let Some(seat) = self.seats.app(name) {
            seat.bell.notify_one();
        }
    }

    /// What the reconciler of an auto-deploy does between two steps.
    pub fn rest(&self, name: &ObjectName) -> Result<watch::Receiver<Rest>, AskError> {
        Ok(self.seat(name)?.rest)
    }

    /// Every tag of the repository, with the reason why it was chosen or not.
    pub fn tag_choices(&self, name: &ObjectName) -> Result<Vec<TagChoice>, AskError> {
        let seat = self.seat(name)?;
        let repository = self.repository(&seat)?;
        Ok(tag_choices(&seat.wish.policy, &repository.state.borrow().seen))
    }

    /// What was understood of the auto-deploy.
    pub fn wish(&self, name: &ObjectName) -> Result<Arc<Wish>, AskError> {
        Ok(self.seat(name)?.wish)
    }

    /// Writes a request down and rings for it. The receiver hears the decision that handled it.
    pub async fn ask(
        &self,
        name: &ObjectName,
        ask: Ask,
        by: Actor,
    ) -> Result<(RequestId, oneshot::Receiver<DecisionView>), AskError> {
        let seat = self.seat(name)?;
        let at = self.ports().clock.now();
        let id = RequestId(format!("{}-{:08x}", at.as_millisecond(), fastrand::u32(..)));
        let request = Request { id: id.clone(), ask, by, at };
        let (sender, receiver) = oneshot::channel();
        let waiting = || seat.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting().insert(id.clone(), sender);
        if let Err(error) = self.ports().store.add_request(name, &request).await {
            waiting().remove(&id);
            return Err(AskError::Store(error));
        }
        seat.bell.notify_one();
        Ok((id, receiver))
    }

    /// The newest lines of all replicas, those that crashed or were replaced included, and those to come.
    pub async fn log_tail(&self, name: &ObjectName, limit: usize) -> Result<LogTail, AskError> {
        let seat = self.seat(name)?;
        Ok(self.ports().workloads.log_tail(&seat.wish.target, limit).await)
    }

    /// Goes through the checklist of a deployment, asking the registry, the replicas and the checks now.
    pub async fn verify(&self, name: &ObjectName) -> Result<Verification, AskError> {
        let view = self.show(name).await?;
        let seat = self.seat(name)?;
        let repository = self.repository(&seat)?;
        let seen = Arc::clone(&repository.state.borrow().seen);
        Ok(verify(&seat.wish, &repository.place, &view, &seen, self.seats.ports()).await)
    }

    /// Suspends an auto-deploy, or lets it go on.
    pub async fn suspend(&self, name: &ObjectName, suspended: bool) -> Result<(), AskError> {
        let seat = self.seat(name)?;
        self.ports().store.set_suspended(name, suspended).await.map_err(AskError::Store)?;
        seat.bell.notify_one();
        Ok(())
    }

    /// Looks at the auto-deploy's repository now and waits for the answer, the view that follows included.
    pub async fn scan(&self, name: &ObjectName) -> Result<Arc<AutoDeployView>, AskError> {
        let seat = self.seat(name)?;
        let repository = self.repository(&seat)?;
        if repository.suspended {
            return self.show(name).await;
        }
        let (done, answered) = oneshot::channel();
        let hint = Hint { tag: None, done: Some(done) };
        repository.hints.give(hint);
        answered.await.map_err(|_| AskError::Stopping)?;
        let looked_at = repository.state.borrow().looked_at;
        let mut view = seat.view.clone();
        let fresh = |view: &Option<Arc<AutoDeployView>>| {
            view.as_ref().is_some_and(|view| view.repository.looked_at >= looked_at)
        };
        let view = view.wait_for(fresh).await.map_err(|_| AskError::Stopping)?;
        view.clone().ok_or(AskError::Stopping)
    }

    /// What is known of a repository, as it changes; nothing where it is not watched.
    pub fn repository_state(&self, name: &ObjectName) -> Option<watch::Receiver<RepositoryState>> {
        self.seats.repository(name).map(|seat| seat.state)
    }

    /// Looks at a repository now and waits for the end of that look, good or bad.
    pub async fn look_at(&self, name: &ObjectName) -> Result<(), AskError> {
        let Some(seat) = self.seats.repository(name).filter(|seat| !seat.suspended) else {
            return Ok(());
        };
        let (done, answered) = oneshot::channel();
        let hint = Hint { tag: None, done: Some(done) };
        seat.hints.give(hint);
        answered.await.map_err(|_| AskError::Stopping)
    }

    /// Says that a tag moved in the registry: a hint, looked into by everybody who watches that repository.
    pub fn hint(&self, host: Option<&str>, path: &str, tag: Option<&Tag>) {
        for seat in self.seats.repositories() {
            let repository = &seat.place.repository;
            if repository.path() == path && host.is_none_or(|host| repository.host() == host) {
                seat.hints.give(Hint { tag: tag.cloned(), done: None });
            }
        }
    }

    /// The audit history, newest first.
    pub async fn audit(
        &self,
        name: Option<&ObjectName>,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, AskError> {
        self.ports().store.audit(name, limit).await.map_err(AskError::Store)
    }

    pub(crate) fn ports(&self) -> &Ports {
        self.seats.ports()
    }

    pub(crate) fn seat(&self, name: &ObjectName) -> Result<AppSeat, AskError> {
        self.seats
            .app(name)
            .ok_or_else(|| AskError::NoAutoDeploy { name: name.to_string(), known: self.names() })
    }

    pub(crate) fn repository(&self, seat: &AppSeat) -> Result<RepositorySeat, AskError> {
        self.seats.repository(&seat.wish.repository).ok_or(AskError::Stopping)
    }

    /// Why a seat says no more.
    fn gone(&self, name: &ObjectName) -> AskError {
        if self.seats.is_stopping() {
            AskError::Stopping
        } else {
            AskError::NoAutoDeploy { name: name.to_string(), known: self.names() }
        }
    }
}
