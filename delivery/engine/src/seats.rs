//! What runs in an engine: a watcher for each repository, a reconciler for each auto-deploy.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use mercurious_core::{resources::ObjectName, rollout::RequestId};
use mercurious_runtime::{CancellationToken, Tasks};
use tokio::sync::{Notify, oneshot, watch};

use crate::{
    AutoDeployView, DecisionView, Place, RepositoryWish, Rest, Wish, Wishes,
    engine::{EngineError, Ports},
    hints::{self, HintSender},
    reconcile::{Reconciler, Steering},
    watch::{RepositoryState, Watcher},
};

/// Who waits for which request to be handled.
pub(crate) type Waiting = Arc<Mutex<BTreeMap<RequestId, oneshot::Sender<DecisionView>>>>;

/// A reconciler, as it is spoken to. Clones share it.
#[derive(Clone)]
pub(crate) struct AppSeat {
    pub(crate) wish: Arc<Wish>,
    pub(crate) view: watch::Receiver<Option<Arc<AutoDeployView>>>,
    pub(crate) rest: watch::Receiver<Rest>,
    pub(crate) bell: Arc<Notify>,
    pub(crate) waiting: Waiting,
    steering: watch::Sender<Steering>,
    stop: CancellationToken,
}

/// A watcher, as it is spoken to. Clones share it.
#[derive(Clone)]
pub(crate) struct RepositorySeat {
    pub(crate) place: Arc<Place>,
    pub(crate) suspended: bool,
    pub(crate) state: watch::Receiver<RepositoryState>,
    pub(crate) hints: HintSender,
    wish: watch::Sender<Arc<RepositoryWish>>,
    stop: CancellationToken,
}

/// All seats of an engine. Wishes come and go while it runs.
pub(crate) struct Seats {
    taken: Mutex<Taken>,
    ports: Ports,
    tasks: Tasks,
}

#[derive(Default)]
struct Taken {
    apps: BTreeMap<ObjectName, AppSeat>,
    repositories: BTreeMap<ObjectName, RepositorySeat>,
}

impl Seats {
    pub(crate) fn new(ports: Ports, tasks: Tasks) -> Self {
        Self { taken: Mutex::default(), ports, tasks }
    }

    pub(crate) fn ports(&self) -> &Ports {
        &self.ports
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.tasks.stopping().is_cancelled()
    }

    pub(crate) fn names(&self) -> Vec<ObjectName> {
        self.with(|taken| taken.apps.keys().cloned().collect())
    }

    pub(crate) fn app(&self, name: &ObjectName) -> Option<AppSeat> {
        self.with(|taken| taken.apps.get(name).cloned())
    }

    pub(crate) fn repository(&self, name: &ObjectName) -> Option<RepositorySeat> {
        self.with(|taken| taken.repositories.get(name).cloned())
    }

    pub(crate) fn repositories(&self) -> Vec<RepositorySeat> {
        self.with(|taken| taken.repositories.values().cloned().collect())
    }

    fn with<T>(&self, read: impl FnOnce(&mut Taken) -> T) -> T {
        read(&mut self.taken.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes what runs be what is wished for: starts what is new, tells what changed, stops what is gone.
    pub(crate) fn update(&self, wishes: Wishes) -> Result<(), EngineError> {
        for (name, wish) in &wishes.auto_deploys {
            if !wishes.repositories.contains_key(&wish.repository) {
                return Err(EngineError::NoRepository {
                    auto_deploy: name.clone(),
                    repository: wish.repository.clone(),
                });
            }
        }
        self.with(|taken| {
            taken.apps.retain(|name, seat| {
                wishes.auto_deploys.contains_key(name) || {
                    seat.stop.cancel();
                    false
                }
            });
            let mut repositories = BTreeMap::new();
            for (name, wish) in wishes.repositories {
                let seat = match taken.repositories.remove(&name) {
                    Some(seat) if seat.place.sees_the_same(&wish.place) => seat.told(wish),
                    before => {
                        if let Some(before) = &before {
                            before.stop.cancel();
                        }
                        self.watch(wish, before.is_some())
                    }
                };
                repositories.insert(name, seat);
            }
            for seat in taken.repositories.values() {
                seat.stop.cancel();
            }
            taken.repositories = repositories;
            for (name, wish) in wishes.auto_deploys {
                let Some(repository) = taken.repositories.get(&wish.repository) else { continue };
                let steering = Steering {
                    wish: Arc::new(wish),
                    place: Arc::clone(&repository.place),
                    repository: repository.state.clone(),
                    looks: !repository.suspended,
                };
                let seat = match taken.apps.remove(&name) {
                    Some(seat) => seat.told(steering),
                    None => self.reconcile(steering),
                };
                taken.apps.insert(name, seat);
            }
        });
        Ok(())
    }

    fn watch(&self, wish: Arc<RepositoryWish>, anew: bool) -> RepositorySeat {
        let (state, receiver) = watch::channel(RepositoryState::default());
        let (hints, hint_receiver) = hints::queue();
        let stop = self.tasks.stopping().child_token();
        let place = Arc::clone(&wish.place);
        let suspended = wish.suspended;
        let (wish, wish_receiver) = watch::channel(wish);
        let watcher = Watcher {
            name: place.name.clone(),
            wish: wish_receiver,
            anew,
            ports: self.ports.clone(),
            state,
            hints: hint_receiver,
            stopping: stop.clone(),
        };
        self.tasks.spawn_until("watcher", stop.clone(), watcher.run());
        RepositorySeat { place, suspended, state: receiver, hints, wish, stop }
    }

    fn reconcile(&self, steering: Steering) -> AppSeat {
        let (view, view_receiver) = watch::channel(None);
        let (rest, rest_receiver) = watch::channel(Rest::Working);
        let bell = Arc::new(Notify::new());
        let waiting = Waiting::default();
        let stop = self.tasks.stopping().child_token();
        let wish = Arc::clone(&steering.wish);
        let (sender, receiver) = watch::channel(steering.clone());
        let reconciler = Reconciler {
            name: wish.target.auto_deploy.clone(),
            steering: receiver,
            steered: steering,
            ports: self.ports.clone(),
            view,
            rest,
            bell: Arc::clone(&bell),
            waiting: Arc::clone(&waiting),
            tasks: self.tasks.clone(),
            stopping: stop.clone(),
        };
        self.tasks.spawn_until("reconciler", stop.clone(), reconciler.run());
        AppSeat {
            wish,
            view: view_receiver,
            rest: rest_receiver,
            bell,
            waiting,
            steering: sender,
            stop,
        }
    }
}

impl AppSeat {
    fn told(mut self, steering: Steering) -> Self {
        let same = *self.wish == *steering.wish
            && self.steering.borrow().repository.same_channel(&steering.repository);
        if !same {
            self.wish = Arc::clone(&steering.wish);
            self.steering.send_replace(steering);
        }
        self
    }
}

impl RepositorySeat {
    fn told(mut self, wish: Arc<RepositoryWish>) -> Self {
        self.suspended = wish.suspended;
        self.place = Arc::clone(&wish.place);
        self.wish.send_if_modified(|before| {
            let differs = *before != wish;
            *before = wish;
            differs
        });
        self
    }
}
