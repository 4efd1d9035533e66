use std::{
    panic::AssertUnwindSafe,
    path::Path,
    pin::Pin,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use futures::FutureExt as _;
use libtest_mimic::Failed;
use mercurious_cluster::{Cluster, Namespace};
use mercurious_trials::Program;
use tokio::sync::{OnceCell, RwLock};

/// A test by its name: a sentence with underscores.
pub(crate) type Test = (&'static str, fn(Scene) -> Play);
/// What a test does.
pub(crate) type Play = Pin<Box<dyn Future<Output = anyhow::Result<()>>>>;

/// Makes a [`Test`] of each function named.
macro_rules! tests {
    ($($name:ident),+ $(,)?) => {
        pub(crate) fn tests() -> Vec<crate::stage::Test> {
            vec![$((stringify!($name), |scene| Box::pin($name(scene)))),+]
        }
    };
}
pub(crate) use tests;

/// What all tests share; the cluster starts with the first that runs.
#[derive(Clone, Default)]
pub(crate) struct Stage {
    cluster: Arc<OnceCell<Cluster>>,
    /// Held by each test; alone by one that breaks the cluster for all.
    quiet: Arc<RwLock<()>>,
}

/// What one test works with. Its namespaces are shown when it fails, and removed when it does not.
#[derive(Clone)]
pub(crate) struct Scene {
    stage: Stage,
    /// What the images are made of.
    pub(crate) program: Program,
    /// What steers.
    pub(crate) engine: Program,
    namespaces: Arc<Mutex<Vec<Namespace>>>,
}

impl Stage {
    pub(crate) async fn run(
        self,
        name: &'static str,
        test: fn(Scene) -> Play,
    ) -> Result<(), Failed> {
        let quiet = Arc::clone(&self.quiet);
        let _alone = if crate::killed::ALONE.contains(&name) {
            (None, Some(quiet.write_owned().await))
        } else {
            (Some(quiet.read_owned().await), None)
        };
        self.cluster().await.map_err(|error| format!("{error:#}"))?;
        let scene = Scene {
            stage: self,
            program: Program::built().map_err(|error| format!("{error:#}"))?,
            engine: engine().map_err(|error| format!("{error:#}"))?,
            namespaces: Arc::default(),
        };
        let begin = Instant::now();
        // A panic is an answer too.
        let played = AssertUnwindSafe(test(scene.clone())).catch_unwind().await;
        let failure = match played {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("{error:#}")),
            Err(_) => Some("it panicked, see above".to_owned()),
        };
        let namespaces = scene.namespaces.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(failure) = failure {
            // The rest may take minutes: whoever waits is told now.
            eprintln!("{name}: {failure}");
            let mut said = format!("{failure}\n");
            for namespace in &namespaces {
                said += &namespace.dump().await;
            }
            return Err(said.into());
        }
        eprintln!("{name}: {:.1} s", begin.elapsed().as_secs_f64());
        for namespace in &namespaces {
            namespace.remove().await.map_err(|error| format!("{error:#}"))?;
        }
        Ok(())
    }

    async fn cluster(&self) -> anyhow::Result<&Cluster> {
        self.cluster
            .get_or_try_init(async || {
                let begin = Instant::now();
                let cluster =
                    Cluster::get(Path::new(env!("CARGO_BIN_EXE_mercurious-cluster"))).await?;
                // Any test may be the first, or the only one.
                crate::install::ground(&cluster.kubectl()).await?;
                eprintln!("cluster ready after {:.1} s", begin.elapsed().as_secs_f64());
                Ok(cluster)
            })
            .await
    }

    /// Takes the cluster down.
    pub(crate) async fn end(self) -> anyhow::Result<()> {
        let cluster = Arc::try_unwrap(self.cluster).ok().and_then(OnceCell::into_inner);
        let Some(cluster) = cluster else { return Ok(()) };
        let facts = cluster.facts().clone();
        cluster.end().await?;
        if let Some(place) = facts.place {
            let left = mercurious_cluster::leftovers(&place);
            anyhow::ensure!(left.is_empty(), "it left behind:\n{}", left.join("\n"));
        }
        Ok(())
    }
}

impl Scene {
    pub(crate) fn cluster(&self) -> &Cluster {
        self.stage.cluster.get().expect("a test runs after the start")
    }

    pub(crate) async fn namespace(&self, stem: &str) -> anyhow::Result<Namespace> {
        let namespace = Namespace::make(self.cluster(), stem).await?;
        self.namespaces.lock().unwrap_or_else(PoisonError::into_inner).push(namespace.clone());
        Ok(namespace)
    }
}

/// The program that was built beside this, or the one that the environment names.
#[expect(clippy::disallowed_methods, reason = "this is a setting of the tests")]
fn engine() -> anyhow::Result<Program> {
    match std::env::var_os("MERCURIOUS_TEST_PROGRAM") {
        Some(path) => Program::at(Path::new(&path)),
        None => Program::built(),
    }
}

/// `require` and `skip` are what people say; else the tests run where they can.
#[expect(clippy::disallowed_methods, reason = "this is a setting of the tests")]
pub(crate) fn mode() -> Option<String> {
    std::env::var("MERCURIOUS_CLUSTER_TESTS").ok()
}

/// Without a cluster: one line, and a failure where `MERCURIOUS_CLUSTER_TESTS=require` asks for it.
pub(crate) fn skipped(why: &str) -> ExitCode {
    eprintln!("cluster tests skipped: {why}");
    let required = mode().as_deref() == Some("require");
    if required { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
