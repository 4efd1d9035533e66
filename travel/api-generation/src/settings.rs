//! Which model writes, if any, and how hard plans are searched for.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use mercurious_runtime::Environment;
use url::Url;

use crate::{
    generate::Generator,
    model::{Client, Limits, ModelSettings, ModelWriter},
};

/// Which model writes, if any, and how hard plans are searched for.
#[derive(Debug)]
pub struct GenerationSettings {
    /// The model; templates write without one.
    pub model: Option<ModelSettings>,
    /// How hard to search.
    pub effort: u64,
}

impl GenerationSettings {
    /// Reads `MODEL_NAME`, `MODEL_BASE_URL`, `MODEL_API_KEY`, `MODEL_TIMEOUT_SECONDS`, `MODEL_MAX_TOKENS` and
    /// `PLANNER_EFFORT`; older names with a warning. A model is asked only where `MODEL_NAME` is set.
    pub fn from_environment(environment: &mut Environment) -> Self {
        let name = environment.text("MODEL_NAME", &["OPENAI_MODEL"]);
        let base = environment.parsed::<Url>("MODEL_BASE_URL", &["OPENAI_BASE_URL"]);
        let key = environment.text("MODEL_API_KEY", &["OPENAI_API_KEY"]);
        let mut limits = Limits::default();
        if let Some(seconds) = environment.parsed::<u32>("MODEL_TIMEOUT_SECONDS", &[]) {
            limits.budget = Duration::from_secs(u64::from(seconds));
        }
        if let Some(tokens) = environment.parsed::<u32>("MODEL_MAX_TOKENS", &[]) {
            limits.tokens = tokens;
        }
        let usual = Url::parse("https://api.openai.com/v1").ok();
        let wrong = |url: &Url| {
            !matches!(url.scheme(), "http" | "https")
                || url.host_str().is_none()
                || url.password().is_some()
        };
        if base.as_ref().is_some_and(wrong) {
            environment
                .fault("MODEL_BASE_URL: no address of a server, such as https://api.openai.com/v1");
        }
        let model = match (name, base.or(usual)) {
            (Some(model), Some(base_url)) => {
                Some(ModelSettings { base_url, key: key.map(Into::into), model, limits })
            }
            (None, _) => {
                if key.is_some() {
                    environment
                        .warn("a model's key is set, but MODEL_NAME is not: templates write");
                }
                None
            }
            (Some(_), None) => None,
        };
        let usual = mercurious_itinerary::orienteering::Settings::EFFORT;
        let effort = environment.parsed::<u64>("PLANNER_EFFORT", &[]).unwrap_or(usual);
        for unused in ["GOOGLE_PLACES_API_KEY", "CACHE_TTL_SECONDS"] {
            if environment.is_set(unused) {
                environment.warn(format!("{unused} has no effect on api-generation"));
            }
        }
        Self { model, effort }
    }

    /// Who makes itineraries.
    pub fn generator(self) -> anyhow::Result<Generator> {
        let model = match self.model {
            Some(settings) => {
                tracing::info!(
                    model.name = settings.model,
                    model.host = settings.base_url.host_str(),
                    "a model writes"
                );
                let client = Client::new(settings).context("cannot make an HTTP client")?;
                Some(Arc::new(ModelWriter::new(client)))
            }
            None => None,
        };
        Ok(Generator { model, effort: self.effort })
    }
}
