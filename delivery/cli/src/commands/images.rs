use anyhow::Context as _;
use jiff::Timestamp;
use mercurious_adapters::{Credentials, OciImageSource, Wiring};
use mercurious_core::{
    image::{Platform, Repository},
    policy::{Order, Policy},
    resources::ObjectName,
};
use mercurious_engine::{LookDepth, Place, Seen, look, ports::LookError, tag_choices};
use mercurious_registry::{Keychain, RegistryClient};
use mercurious_runtime::{Clock as _, SystemClock};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::{
    cli::{Globals, ImagesArgs, Output},
    commands::policy,
    failure::Failure,
    output::{print, print_json, say, table},
    settings,
};

/// So long a first look at a large repository may take.
const PATIENCE: Duration = Duration::from_mins(5);

/// The logins of the person who asks.
struct OwnLogins;

#[async_trait::async_trait]
impl Credentials for OwnLogins {
    async fn keychain(&self, _: &Place) -> Result<Keychain, LookError> {
        Ok(settings::keychain())
    }

    async fn wiring(&self, _: &Place) -> Result<Wiring, LookError> {
        Ok(Wiring::default())
    }
}

pub(crate) async fn run(args: ImagesArgs, globals: &Globals) -> anyhow::Result<()> {
    let repository: Repository =
        args.repository.parse().map_err(|error| Failure::usage(format!("{error}")))?;
    let policy = Arc::new(match policy::policy(&args.policy)? {
        Some(policy) => policy,
        None => Policy::new(Order::Newest, policy::filter(&args.policy)?),
    });
    let mut builder = RegistryClient::builder();
    if args.insecure {
        builder = builder.plain_http(repository.host());
    }
    let client = builder.build().context("cannot make a registry client")?;
    let source = OciImageSource::of_client(OwnLogins, Platform::of_this_program(), client.clone());
    let place = Place {
        name: ObjectName::new("default", repository.name()),
        repository: repository.clone(),
        secret: None,
        service_account: None,
        certificate_secret: None,
        proxy_secret: None,
        insecure: false,
        exclusions: vec![r"^.*\.sig$".to_owned()],
        timeout: PATIENCE,
        shown: false,
    };
    let depth = LookDepth::Full { moved: std::collections::BTreeSet::new() };
    let nothing = Seen::default();
    let looking = look(
        source.as_ref(),
        &place,
        std::slice::from_ref(&policy),
        &nothing,
        depth,
        SystemClock.now(),
    );
    let found = tokio::time::timeout(PATIENCE, looking)
        .await
        .with_context(|| format!("no end within {PATIENCE:?}"))?
        .with_context(|| format!("cannot look at {repository}"))?;
    let choices = tag_choices(&policy, &found.seen);
    let chosen = choices.iter().find(|choice| choice.chosen).map(|choice| choice.tag.clone());
    let spent = client.spent();
    let left: BTreeMap<String, u64> =
        client.rate_limits().into_iter().map(|(host, limit)| (host, limit.remaining)).collect();
    let outcome = match chosen {
        Some(_) => Ok(()),
        None if choices.is_empty() => Err(Failure::no(format!(
            "{repository} has no tags: nothing was pushed there yet, or its name is another one"
        ))),
        None => Err(Failure::no(format!("no tag is chosen; wanted: {}", policy.describe()))),
    };
    if globals.output == Output::Json {
        print_json(&serde_json::json!({
            "repository": repository, "policy": policy.describe(), "latest": chosen, "tags": choices,
            "requests": { "head": spent.head, "get": spent.get, "token": spent.token, "total": spent.total() },
            "rateLimitLeft": left,
        }))?;
        return outcome;
    }
    let rows: Vec<Vec<String>> = choices
        .iter()
        .map(|choice| {
            let built: Option<Timestamp> =
                choice.release.as_ref().and_then(|release| release.built_at);
            let digest = choice.release.as_ref().map(|release| release.digest.short().to_owned());
            vec![
                if choice.chosen { "*" } else { "" }.to_owned(),
                choice.tag.clone(),
                digest.unwrap_or_default(),
                built.map(|built| built.to_string()).unwrap_or_default(),
                choice.reason.clone(),
            ]
        })
        .collect();
    print(&table(&["", "TAG", "DIGEST", "BUILT", "WHY"], &rows))?;
    let limit = match left.iter().next() {
        Some((host, left)) => format!("{left} left on {host}"),
        None => "the registry names no limit".to_owned(),
    };
    say(format!(
        "{} requests ({} HEAD, {} GET, {} for tokens); {limit}",
        spent.total(),
        spent.head,
        spent.get,
        spent.token
    ));
    outcome
}
