use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{Stream, StreamExt as _, stream::BoxStream};
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};
use kube::{
    Client,
    api::Api,
    core::{PartialObjectMeta, Selector, SelectorExt as _},
    runtime::{WatchStreamExt as _, watcher},
};
use mercurious_core::resources::ObjectName;
use mercurious_runtime::Tasks;
use tokio::{sync::broadcast, time::Instant};

use crate::objects::PAGE;

/// A workload that nobody looks at closely any more is watched no longer than this.
const WATCHED_FOR: Duration = Duration::from_secs(90);

/// The Pods of workloads that are looked at closely: one watch for each namespace, however many roll out in it, for
/// as long as somebody looks. Clones share it.
#[derive(Clone)]
pub(crate) struct CloseWatches {
    client: Client,
    tasks: Tasks,
    changes: broadcast::Sender<ObjectName>,
    /// A namespace that is in it has a watch.
    close: Arc<Mutex<BTreeMap<Arc<str>, Closely>>>,
}

/// By name.
type Closely = BTreeMap<Arc<str>, Close>;

struct Close {
    until: Instant,
    selector: Selector,
}

/// What a watch tells.
enum Told {
    /// Something about a Pod with these labels.
    Pod(BTreeMap<String, String>),
    /// Something about the Deployment of this name.
    Deployment(String),
    /// Everything was listed: what came before the watch may have been missed.
    Listed,
}

impl CloseWatches {
    /// Tells changes to `changes`. Nothing is watched yet.
    pub(crate) fn new(
        client: Client,
        tasks: Tasks,
        changes: broadcast::Sender<ObjectName>,
    ) -> Self {
        Self { client, tasks, changes, close: Arc::default() }
    }

    /// Sees to it that changes of the Pods of this workload are told for a while; with `alone`, where nobody else
    /// watches Deployments, those of itself as well.
    pub(crate) fn watch(&self, name: &ObjectName, selector: &Selector, alone: bool) {
        let begins = {
            let mut close = self.close.lock().unwrap_or_else(PoisonError::into_inner);
            let begins = !close.contains_key(&name.namespace);
            let until = Instant::now() + WATCHED_FOR;
            let looked_at = Close { until, selector: selector.clone() };
            close.entry(name.namespace.clone()).or_default().insert(name.name.clone(), looked_at);
            begins
        };
        if begins {
            let (own, namespace) = (self.clone(), name.namespace.clone());
            self.tasks.spawn("close watch", async move { own.run(&namespace, alone).await });
        }
    }

    async fn run(&self, namespace: &str, alone: bool) {
        let config = || watcher::Config::default().page_size(PAGE);
        let pods: Api<PartialObjectMeta<Pod>> = Api::namespaced(self.client.clone(), namespace);
        let pods =
            told(watcher(pods, config()), |pod| Told::Pod(pod.metadata.labels.unwrap_or_default()));
        let mut told_of = vec![pods];
        if alone {
            let deployments: Api<PartialObjectMeta<Deployment>> =
                Api::namespaced(self.client.clone(), namespace);
            told_of.push(told(watcher(deployments, config()), |deployment| {
                Told::Deployment(deployment.metadata.name.unwrap_or_default())
            }));
        }
        let mut told_of = futures::stream::select_all(told_of);
        let stopping = self.tasks.stopping();
        while let Some(until) = self.until(namespace) {
            tokio::select! {
                () = stopping.cancelled() => return,
                () = tokio::time::sleep_until(until) => {}
                Some(told) = told_of.next() => for name in self.concerned(namespace, &told) {
                    // Nobody listens before the engine has started.
                    let _ = self.changes.send(ObjectName::new(namespace, name));
                },
            }
        }
    }

    /// When somebody stops looking, next; `None`, and the namespace has no watch any more, when nobody looks.
    fn until(&self, namespace: &str) -> Option<Instant> {
        let mut close = self.close.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, own) = (Instant::now(), close.get_mut(namespace)?);
        own.retain(|_, looked_at| looked_at.until > now);
        let until = own.values().map(|looked_at| looked_at.until).min();
        if until.is_none() {
            close.remove(namespace);
        }
        until
    }

    fn concerned(&self, namespace: &str, told: &Told) -> BTreeSet<Arc<str>> {
        let close = self.close.lock().unwrap_or_else(PoisonError::into_inner);
        let concerns = |(name, looked_at): &(&Arc<str>, &Close)| match told {
            Told::Pod(labels) => looked_at.selector.matches(labels),
            Told::Deployment(changed) => ***name == **changed,
            Told::Listed => true,
        };
        let own = close.get(namespace).into_iter().flatten();
        own.filter(concerns).map(|(name, _)| name.clone()).collect()
    }
}

/// Each change of a watch; a failing watch is tried again, ever more slowly.
fn told<K: Send + 'static>(
    watch: impl Stream<Item = watcher::Result<watcher::Event<K>>> + Send + 'static,
    read: impl Fn(K) -> Told + Send + 'static,
) -> BoxStream<'static, Told> {
    let read = move |event| match event {
        watcher::Event::Init | watcher::Event::InitApply(_) => None,
        watcher::Event::InitDone => Some(Told::Listed),
        watcher::Event::Apply(object) | watcher::Event::Delete(object) => Some(read(object)),
    };
    let events = watch.default_backoff().filter_map(async |event| event.ok());
    events.filter_map(move |event| std::future::ready(read(event))).boxed()
}
