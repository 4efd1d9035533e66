use std::{fmt, time::Duration};

use anyhow::{Context as _, ensure};
use mercurious_api::{Change, Live, Verb};
use mercurious_core::{decide::Reason, image::Digest, rollout::Phase};
use mercurious_engine::{AutoDeployView, EventKind};

use crate::{Chance, Home, Image, Moment, Program, Seen, State, Wish, ran, settled};

/// What is wrong with an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Nothing.
    Good,
    /// It ends at once.
    CrashOnStart,
    /// It ends two seconds after its start, while a bake that is longer than that waits for it.
    CrashWhileBaking,
    /// It starts and is never ready.
    NeverReady,
    /// It serves, and a check says no.
    FailingCheck,
    /// It is for another processor.
    OtherPlatform,
}

impl Kind {
    /// An image of this kind, the `number`-th in time.
    pub fn image(self, number: u32) -> Image {
        let image = Image::good(number);
        // Starting takes long enough for each step to be seen.
        let slow = || image.clone().with("EXAMPLE_START_DELAY", "200ms");
        match self {
            Self::Good => slow(),
            Self::CrashOnStart => image.with("EXAMPLE_CRASH_ON_START", "true"),
            Self::CrashWhileBaking => slow().with("EXAMPLE_CRASH_AFTER", "2s"),
            Self::NeverReady => image.with("EXAMPLE_NEVER_READY", "true"),
            Self::FailingCheck => slow().with("EXAMPLE_FAILING_CHECK", "true"),
            Self::OtherPlatform => image.for_architecture("s390x"),
        }
    }
}

/// How an engine is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// `kill -9`
    Kill,
    /// SIGTERM
    Terminate,
}

impl fmt::Display for End {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Kill => "killed",
            Self::Terminate => "terminated",
        })
    }
}

/// A home whose engine is ended again and again, with what it must converge to.
#[derive(Debug)]
pub struct Trial {
    /// The home.
    pub home: Home,
    /// What must run when nothing is at work.
    pub good: Digest,
    /// What it answers.
    pub version: String,
    /// How many images it was given.
    pub number: u32,
}

impl Trial {
    /// A home of its own with its first good release.
    pub async fn new(wish: Wish) -> anyhow::Result<Self> {
        Self::start(Home::start(&Program::built()?, wish).await?).await
    }

    /// With the first good release of this home.
    pub async fn start(home: Home) -> anyhow::Result<Self> {
        let image = Image::good(1);
        let good = home.push_like(&image).await?;
        let run = |view: &AutoDeployView| ran(view, &good, Phase::Succeeded) && settled(view);
        home.until("v1", run).await?;
        Ok(Self { home, good, version: image.version, number: 1 })
    }

    /// The next image of this kind.
    pub fn next(&mut self, kind: Kind) -> Image {
        self.number += 1;
        kind.image(self.number)
    }

    /// Pushes an image, ends the engine at the moment, and looks at everything that is left and that comes of it.
    pub async fn end_at(&mut self, kind: Kind, moment: Moment, end: End) -> anyhow::Result<Seen> {
        let what = format!("v{}, {kind:?}, {end} at {moment:?}", self.number + 1);
        self.end_at_moment(kind, moment, end)
            .await
            .with_context(|| format!("{what}\n{}", self.home.log()))
    }

    async fn end_at_moment(
        &mut self,
        kind: Kind,
        moment: Moment,
        end: End,
    ) -> anyhow::Result<Seen> {
        let image = self.next(kind);
        let mut follow = self.home.follow().await?;
        let url = self.home.url("/slow?ms=1500");
        let digest = self.home.push_like(&image).await?;
        let seen = {
            // Something that an old replica must finish makes its drain last.
            let busy = async {
                if moment == Moment::Draining {
                    let _ = mercurious_load::ask(&url, crate::home::PATIENCE).await;
                }
                std::future::pending::<()>().await;
            };
            tokio::select! {
                seen = self.home.reach(moment, &mut follow) => seen?,
                () = busy => Seen::Passed,
            }
        };
        self.end(end).await?;
        self.start_again(&image, &digest, kind).await?;
        self.start_in_silence().await?;
        Ok(seen)
    }

    /// Pushes an image of some kind and kills the engine up to three times, each time a random while after it
    /// started to do something. Says how many kills that were.
    pub async fn kill_at_random(&mut self, chance: &mut Chance) -> anyhow::Result<u64> {
        let kinds = [Kind::Good, Kind::Good, Kind::CrashOnStart, Kind::FailingCheck];
        let kind = *chance.one_of(&kinds).context("no kinds")?;
        let (kills, image) = (chance.number(1..4), self.next(kind));
        let mut waits = Vec::new();
        for _ in 0..kills {
            waits.push(Duration::from_millis(chance.number(0..3000)));
        }
        let what = format!("v{}, {kind:?}, killed after {waits:?}", self.number);
        self.kill_after(&image, kind, &waits)
            .await
            .with_context(|| format!("{what}\n{}", self.home.log()))?;
        Ok(kills)
    }

    async fn kill_after(
        &mut self,
        image: &Image,
        kind: Kind,
        waits: &[Duration],
    ) -> anyhow::Result<()> {
        let mut pushed = None;
        for (index, wait) in waits.iter().enumerate() {
            if index > 0 {
                self.home.launch()?;
            }
            {
                let push = async {
                    if index == 0 {
                        // The kill may well come into the middle of it.
                        pushed = self.home.push_like(image).await.ok();
                    }
                    std::future::pending::<()>().await;
                };
                let _ = tokio::time::timeout(*wait, push).await;
            }
            self.end(End::Kill).await?;
        }
        if pushed.is_none() {
            self.home.resume().await?;
            // An image is there whole, or not at all; whoever pushed it tries again.
            self.home.whole_in_registry(image).await?;
            pushed = Some(self.home.push_like(image).await?);
            self.end(End::Kill).await?;
        }
        let digest = pushed.context("not pushed")?;
        self.start_again(image, &digest, kind).await?;
        self.start_in_silence().await
    }

    /// Asks as `ada`, kills the engine as soon as that is written down or answered, and waits for what comes of it.
    pub async fn kill_at_request(
        &mut self,
        verb: Verb,
        release: Option<&Digest>,
    ) -> anyhow::Result<AutoDeployView> {
        let client = self.home.client();
        let change = Change {
            release: release.map(Digest::to_string),
            reason: None,
            by: Some("ada".to_owned()),
        };
        let requests = self.home.data().join("state/requests/app_example");
        let written = async {
            while !is_written(&requests) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            answer = client.change(Home::NAME, verb, &change) => {
                answer?;
            }
            () = written => {}
        }
        self.end(End::Kill).await?;
        self.home.resume().await?;
        let view = self.home.until(&format!("the end of the {verb:?}"), at_rest).await?;
        ensure!(!is_written(&requests), "the request was not taken away");
        Ok(view)
    }

    /// Ends the engine. No process stays, and all state is whole.
    pub async fn end(&mut self, end: End) -> anyhow::Result<()> {
        match end {
            End::Kill => self.home.kill()?,
            End::Terminate => {
                let status = self.home.stop().await?;
                ensure!(status.success(), "SIGTERM ended it with {status}");
            }
        }
        self.home.gone().await?;
        let state = State::read(&self.home)?;
        ensure!(end == End::Kill || state.unfinished().is_empty(), "{:?}", state.unfinished());
        Ok(())
    }

    /// Starts the engine, which must come to the right end with this image.
    pub async fn start_again(
        &mut self,
        image: &Image,
        digest: &Digest,
        kind: Kind,
    ) -> anyhow::Result<()> {
        self.home.resume().await?;
        self.home.nothing_half_done().await?;
        let ended = |view: &AutoDeployView| {
            settled(view)
                && match kind {
                    Kind::Good => ran(view, digest, Phase::Succeeded),
                    Kind::OtherPlatform => true,
                    _ => ran(view, digest, Phase::RolledBack),
                }
        };
        let view = self.home.until("the right end", ended).await?;
        let status = view.object.status.context("no status")?;
        if kind == Kind::Good {
            self.good = digest.clone();
            self.version.clone_from(&image.version);
        }
        let running = status.running.as_ref().map(|running| running.digest.clone());
        ensure!(running.as_ref() == Some(&self.good), "{running:?} runs, not {}", self.good);
        let holds = status.holds.iter().filter(|hold| hold.digest == *digest).count();
        let wanted = usize::from(!matches!(kind, Kind::Good | Kind::OtherPlatform));
        ensure!(holds == wanted, "{holds} holds on it, not {wanted}");
        self.looks_right().await?;
        let whole = self.home.whole_in_registry(image).await?;
        ensure!(whole.as_ref() == Some(digest), "the registry has {whole:?}, not {digest}");
        Ok(())
    }

    /// The good version is what is served, and the audit history holds nothing twice.
    pub async fn looks_right(&self) -> anyhow::Result<()> {
        let answer = mercurious_load::ask(&self.home.url("/"), crate::home::PATIENCE)
            .await
            .map_err(anyhow::Error::msg)?;
        let own = format!("{} ", self.version);
        ensure!(answer.starts_with(&own), "{answer} answers, not {}", self.version);
        self.home.audit().await?;
        Ok(())
    }

    /// Stops the engine, which has nothing to do, and starts it again: nothing is written, nothing is announced.
    pub async fn start_in_silence(&mut self) -> anyhow::Result<()> {
        let before = self.home.until("rest", at_rest).await?;
        let audit = self.home.audit().await?;
        self.end(End::Terminate).await?;
        let state = State::read(&self.home)?;
        self.home.resume().await?;
        let mut follow = self.home.follow().await?;
        self.home.until("rest", at_rest).await?;
        let view = self.home.client().change(Home::NAME, Verb::Scan, &Change::default()).await?;
        let rests = before.decision.reason;
        ensure!(view.decision.reason == rests, "{:?}, then {:?}", before.decision, view.decision);
        // What is not there can only be waited for a while.
        while let Ok(live) = tokio::time::timeout(QUIET, follow.next()).await {
            if let Some(Live::Event(event)) = live?
                && let EventKind::Decision { reason, message, .. } = event.kind
            {
                ensure!(reason == rests, "announced {reason}: {message}");
            }
        }
        ensure!(self.home.audit().await? == audit, "the audit history grew in silence");
        let after = State::read(&self.home)?;
        let changed = after.changed_since(&state);
        ensure!(changed.is_empty(), "written in silence: {changed:?}");
        self.looks_right().await
    }
}

/// Whether a request is written down, whole.
fn is_written(requests: &std::path::Path) -> bool {
    std::fs::read_dir(requests)
        .into_iter()
        .flatten()
        .flatten()
        .any(|entry| entry.path().extension().is_some_and(|extension| extension == "json"))
}

const QUIET: Duration = Duration::from_millis(50);

/// Whether nothing is to be done and nothing is left to be said about what was.
pub fn at_rest(view: &AutoDeployView) -> bool {
    use Reason::{Failed, Obeyed, PersonChanged, Refused, RolledBack, Succeeded};
    let said = [Failed, Obeyed, PersonChanged, Refused, RolledBack, Succeeded];
    settled(view) && !said.contains(&view.decision.reason)
}
