//! From a request to facts.
//!
//! **Flow.** Destinations are found; their days get clocks, holidays and weather; candidates are gathered from the
//! place sources, made one where several know them, given hours, scores and prices; wishes become ids.
//!
//! **Guarantees.** Without a network the same request gives the same facts. Only a destination that is not found,
//! and a day that does not exist, end the work: a source that fails is a warning.

mod assemble;
mod gather;

use std::{ops::ControlFlow, sync::Arc};

use mercurious_contracts::{
    facts::{FactWarning, Facts},
    message::{EnrichmentProgress, JobError, JobErrorCode, Stage},
    request::TripRequest,
};
use mercurious_runtime::Clock;
use mercurious_worker::Progress;

use crate::sources::{Geocoder, HolidaySource, PlaceSource, WeatherSource, synthetic};

/// Where facts come from.
pub struct Sources {
    /// Knows names that the bundled table lacks.
    pub geocoder: Option<Arc<dyn Geocoder>>,
    /// Candidates, the most trusted first.
    pub places: Vec<Arc<dyn PlaceSource>>,
    /// Asked where the others know too few places.
    pub stand_in: Arc<dyn PlaceSource>,
    /// The weather, the most exact first.
    pub weather: Vec<Arc<dyn WeatherSource>>,
    /// Public holidays.
    pub holidays: Arc<dyn HolidaySource>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Gathers the facts of `request`.
pub async fn enrich(
    sources: &Sources,
    request: &TripRequest,
    progress: &dyn Progress<EnrichmentProgress>,
) -> Result<Facts, JobError> {
    let mut work = Work { sources, request, warnings: Vec::new(), attributions: Vec::new() };
    let go = |flow| match flow {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => {
            Err(JobError::new(JobErrorCode::Cancelled, "the job was cancelled"))
        }
    };
    let report = |percent, stage, message: &str| {
        progress.report(EnrichmentProgress { percent, stage, message: message.to_owned() })
    };
    go(report(5, Stage::Destination, "looking for the destination").await)?;
    let destinations = work.destinations().await?;
    go(report(20, Stage::Country, "time zone, currency and holidays").await)?;
    let mut days = work.days(&destinations)?;
    let holidays = work.holidays(&destinations, &mut days).await;
    go(report(35, Stage::Weather, "the weather").await)?;
    work.weather(&destinations, &mut days).await;
    let mut found = Vec::new();
    for (number, destination) in destinations.iter().enumerate() {
        let percent = 45 + (40 * number / destinations.len()) as u8;
        go(report(percent, Stage::Places, &format!("places in {}", destination.name)).await)?;
        found.push(work.places(destination).await);
    }
    go(report(90, Stage::Places, "opening hours and scores").await)?;
    Ok(work.facts(destinations, days, &holidays, found))
}

struct Work<'a> {
    sources: &'a Sources,
    request: &'a TripRequest,
    warnings: Vec<FactWarning>,
    attributions: Vec<String>,
}

impl Work<'_> {
    fn warn(&mut self, code: &str, message: impl Into<String>) {
        let message = message.into();
        if !self.warnings.iter().any(|known| known.code == code && known.message == message) {
            let at = self.sources.clock.now();
            self.warnings.push(FactWarning { code: code.to_owned(), message, at });
        }
    }

    fn attribute(&mut self, sentence: &str) {
        if !self.attributions.iter().any(|known| known == sentence) {
            self.attributions.push(sentence.to_owned());
        }
    }
}

/// An error with what is behind it, in one line.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

/// Sources with nothing but what is inside the program.
pub fn bundled(clock: Arc<dyn Clock>) -> Sources {
    use crate::sources::bundled::{BundledClimate, BundledHolidays, BundledPlaces};
    Sources {
        geocoder: None,
        places: vec![Arc::new(BundledPlaces)],
        stand_in: Arc::new(synthetic::SyntheticPlaces::default()),
        weather: vec![Arc::new(BundledClimate)],
        holidays: Arc::new(BundledHolidays),
        clock,
    }
}
