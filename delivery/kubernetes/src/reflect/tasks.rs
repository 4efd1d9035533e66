use std::{collections::BTreeMap, sync::Arc, time::Duration};

use mercurious_core::resources::ObjectName;
use mercurious_engine::EngineHandle;
use mercurious_runtime::{CancellationToken, Tasks};
use tokio::sync::Notify;

use super::Reflector;

/// Everything is looked at no less often than this, whatever is reported.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);

/// One task for each repository that there is or that a policy refers to.
pub(crate) struct Reflections {
    reflector: Reflector,
    handle: EngineHandle,
    tasks: Tasks,
    running: BTreeMap<ObjectName, (Arc<Notify>, CancellationToken)>,
}

impl Reflections {
    pub(crate) fn new(reflector: Reflector, handle: EngineHandle, tasks: Tasks) -> Self {
        Self { reflector, handle, tasks, running: BTreeMap::new() }
    }

    pub(crate) fn reflector(&self) -> &Reflector {
        &self.reflector
    }

    /// Everything may be otherwise now.
    pub(crate) fn update(&mut self) {
        let names = self.reflector.names();
        self.running.retain(|name, (_, stop)| {
            names.contains(name) || {
                stop.cancel();
                false
            }
        });
        for name in names {
            match self.running.get(&name) {
                Some((bell, _)) => bell.notify_one(),
                None => self.start(name),
            }
        }
        let reflector = self.reflector.clone();
        self.tasks.spawn("stray policies", async move { reflector.reflect_strays().await });
    }

    /// Something is otherwise about this repository, or a policy of it.
    pub(crate) fn ring(&self, name: &ObjectName) {
        if let Some((bell, _)) = self.running.get(name) {
            bell.notify_one();
        }
    }

    /// Obeys those who ask for a look.
    pub(crate) fn answer(&self) {
        for (name, asked) in self.reflector.asked() {
            let (handle, reflector) = (self.handle.clone(), self.reflector.clone());
            let bell = self.running.get(&name).map(|(bell, _)| Arc::clone(bell));
            self.tasks.spawn("asked look", async move {
                if handle.look_at(&name).await.is_ok() {
                    reflector.answered(&name, &asked);
                    if let Some(bell) = bell {
                        bell.notify_one();
                    }
                }
            });
        }
    }

    fn start(&mut self, name: ObjectName) {
        let (bell, stop) = (Arc::new(Notify::new()), self.tasks.stopping().child_token());
        let task = run(
            self.reflector.clone(),
            self.handle.clone(),
            name.clone(),
            Arc::clone(&bell),
            stop.clone(),
        );
        self.tasks.spawn("reflection", task);
        self.running.insert(name, (bell, stop));
    }
}

async fn run(
    reflector: Reflector,
    handle: EngineHandle,
    name: ObjectName,
    bell: Arc<Notify>,
    stop: CancellationToken,
) {
    loop {
        let mut state = handle.repository_state(&name);
        let now = state.as_mut().map(|state| state.borrow_and_update().clone());
        let again = tokio::select! {
            () = stop.cancelled() => return,
            // Between two of them it takes no room.
            again = Box::pin(reflector.reflect(&name, now.as_ref())) => again,
        };
        if now.as_ref().is_some_and(|state| reflector.lacks_listing(&name, state)) {
            // What it brings is told by the state that changes.
            let _ = Box::pin(handle.look_at(&name)).await;
        }
        let changed = async {
            let told = match &mut state {
                Some(state) => state.changed().await.is_ok(),
                None => false,
            };
            if !told {
                // A watcher that is gone says no more; who replaced it rings.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = bell.notified() => {}
            () = changed => {}
            () = tokio::time::sleep(again.unwrap_or(LONGEST_PAUSE)) => {}
        }
    }
}
