//! From what a person calls a destination to a place on earth with a country, a time zone and a currency.

use jiff::tz::TimeZone;
use mercurious_contracts::{
    CountryCode, Currency, Point, Provenance,
    facts::{Candidate, Destination},
    message::{JobError, JobErrorCode},
    problem::{FieldCode, FieldError},
    request::DestinationWish,
};

use crate::{
    gazetteer::{self, City, Meaning},
    sources::{Geocoded, Geocoder, bundled::derived},
};

/// A destination, and what one should know about how it was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The destination.
    pub destination: Destination,
    /// Codes and sentences.
    pub notes: Vec<(&'static str, String)>,
}

/// A point farther than this from every city is somewhere of its own, in metres.
const NEARBY: f64 = 60_000.0;

/// What `wish` means; `field` is where it stands in the request.
pub async fn resolve(
    wish: &DestinationWish,
    field: &str,
    geocoder: Option<&dyn Geocoder>,
) -> Result<Found, JobError> {
    let country = wish.country.as_ref().map(CountryCode::as_str);
    if let Some(id) = &wish.place_id {
        return by_id(id, field);
    }
    if let Some(point) = wish.point {
        return at_point(point);
    }
    let Some(name) = &wish.name else {
        return Err(invalid(field, FieldCode::Required, "names no destination"));
    };
    match gazetteer::find(name, country) {
        Meaning::One { city, others } => {
            let mut found = of_city(&city)?;
            if !others.is_empty() {
                let list: Vec<String> = others.iter().take(3).map(described).collect();
                let sentence = format!(
                    "{name} is taken to be {}; there is also {}",
                    described(&city),
                    list.join(", ")
                );
                found.notes.push(("destination_chosen", sentence));
            }
            Ok(found)
        }
        Meaning::Several(cities) => {
            let mut error = JobError::new(
                JobErrorCode::AmbiguousDestination,
                format!(
                    "{name} may mean several places; send the place_id of one of the candidates"
                ),
            );
            error.errors.push(field_error(field, FieldCode::Conflict, "may mean several places"));
            error.candidates = cities.iter().filter_map(candidate).collect();
            Err(error)
        }
        Meaning::None(near) => unknown(name, field, country, near, geocoder).await,
    }
}

/// Nothing of that name in the table: somebody else may know it.
async fn unknown(
    name: &str,
    field: &str,
    country: Option<&str>,
    near: Vec<City>,
    geocoder: Option<&dyn Geocoder>,
) -> Result<Found, JobError> {
    let mut notes = Vec::new();
    if let Some(geocoder) = geocoder {
        match geocoder.find(name, country).await {
            Ok(hits) => {
                if let Some(hit) = hits.into_iter().next()
                    && let Some(found) = of_hit(hit, geocoder.name())
                {
                    return Ok(found);
                }
            }
            Err(error) => {
                tracing::warn!(error = %error, "the geocoder has no answer");
                notes.push(format!("{} could not be asked", geocoder.name()));
            }
        }
    }
    let mut message = format!("no place is known by the name {name:?}");
    if !near.is_empty() {
        let list: Vec<String> = near.iter().map(described).collect();
        message = format!("{message}; nearly so are called: {}", list.join(", "));
    }
    for note in notes {
        message = format!("{message} ({note})");
    }
    let mut error = JobError::new(JobErrorCode::UnknownDestination, message);
    error.errors.push(field_error(field, FieldCode::Unknown, "is not known"));
    error.candidates = near.iter().filter_map(candidate).collect();
    Err(error)
}

fn by_id(id: &str, field: &str) -> Result<Found, JobError> {
    if let Some(point) = id.strip_prefix("point:").and_then(read_point) {
        return at_point(point);
    }
    let number = id.strip_prefix("geonames:").and_then(|number| number.parse().ok());
    match number.and_then(gazetteer::by_id) {
        Some(city) => of_city(&city),
        None => {
            let message = format!("no place has the id {id:?}; ids look like geonames:2267057");
            let mut error = JobError::new(JobErrorCode::UnknownDestination, message);
            error.errors.push(field_error(field, FieldCode::Unknown, "has an unknown place_id"));
            Err(error)
        }
    }
}

fn read_point(text: &str) -> Option<Point> {
    let (lat, lon) = text.split_once(',')?;
    let (lat, lon): (f64, f64) = (lat.parse().ok()?, lon.parse().ok()?);
    let right = (-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon);
    right.then_some(Point { lat, lon })
}

/// The city at a point, or the point itself where there is none.
fn at_point(point: Point) -> Result<Found, JobError> {
    let nearest = gazetteer::nearest(point);
    if let Some((city, metres)) = &nearest
        && *metres <= NEARBY
    {
        let mut found = of_city(city)?;
        // One wants to be where one said.
        found.destination.point = point;
        return Ok(found);
    }
    let id = format!("point:{},{}", point.lat, point.lon);
    let away = nearest.map_or(0.0, |(_, metres)| metres) / 1000.0;
    // At sea and at the poles, clocks go by the sun, in whole hours. The names count the other way.
    let hours = -(point.lon / 15.0).round() as i32;
    let time_zone = if hours == 0 { "Etc/GMT".to_owned() } else { format!("Etc/GMT{hours:+}") };
    let note = format!(
        "no city is within {} km of the point (the nearest is {away:.0} km away): its time zone is that of its \
         longitude, its country and currency are not known",
        NEARBY / 1000.0
    );
    Ok(Found {
        destination: Destination {
            id,
            name: format!("{:.3}, {:.3}", point.lat, point.lon),
            country: code("ZZ")?,
            country_name: "no country".to_owned(),
            point,
            time_zone,
            currency: currency("")?,
            languages: Vec::new(),
            provenance: derived("the request", "none"),
        },
        notes: vec![("remote_destination", note)],
    })
}

fn of_city(city: &City) -> Result<Found, JobError> {
    let country = gazetteer::country(city.country);
    Ok(Found {
        destination: Destination {
            id: format!("geonames:{}", city.id),
            name: city.name.to_owned(),
            country: code(city.country)?,
            country_name: country.as_ref().map_or(city.country, |country| country.name).to_owned(),
            point: city.point,
            time_zone: city.time_zone.to_owned(),
            currency: currency(country.as_ref().map_or("", |country| country.currency))?,
            languages: spoken(country.as_ref()),
            provenance: derived(gazetteer::SOURCE, gazetteer::LICENCE),
        },
        notes: Vec::new(),
    })
}

fn of_hit(hit: Geocoded, source: &str) -> Option<Found> {
    TimeZone::get(&hit.time_zone).ok()?;
    let country = gazetteer::country(&hit.country);
    let provenance: Provenance = derived(source, gazetteer::LICENCE);
    Some(Found {
        destination: Destination {
            id: format!("geonames:{}", hit.id),
            name: hit.name,
            country: CountryCode::new(&hit.country).ok()?,
            country_name: country.as_ref().map_or(&*hit.country, |country| country.name).to_owned(),
            point: hit.point,
            time_zone: hit.time_zone,
            currency: currency(country.as_ref().map_or("", |country| country.currency)).ok()?,
            languages: spoken(country.as_ref()),
            provenance,
        },
        notes: Vec::new(),
    })
}

fn spoken(country: Option<&gazetteer::Country>) -> Vec<String> {
    country.map_or_else(Vec::new, |country| {
        country.languages.iter().map(|&language| language.to_owned()).collect()
    })
}

/// What tells cities of one name apart.
fn described(city: &City) -> String {
    let country = gazetteer::country(city.country).map_or(city.country, |country| country.name);
    let region = city.region.map(|region| format!("{region}, ")).unwrap_or_default();
    format!("{} ({region}{country})", city.name)
}

fn candidate(city: &City) -> Option<Candidate> {
    Some(Candidate {
        place_id: format!("geonames:{}", city.id),
        name: city.name.to_owned(),
        region: city.region.map(str::to_owned),
        country: CountryCode::new(city.country).ok()?,
        population: Some(city.population),
    })
}

fn code(text: &str) -> Result<CountryCode, JobError> {
    CountryCode::new(text).map_err(|_| internal(format!("{text:?} is no country")))
}

/// A currency; where a country has none, that of no country.
fn currency(text: &str) -> Result<Currency, JobError> {
    Currency::new(text)
        .or_else(|_| Currency::new("XXX"))
        .or_else(|_| Currency::new("USD"))
        .map_err(|_| internal(format!("{text:?} is no currency")))
}

fn internal(message: String) -> JobError {
    JobError::new(JobErrorCode::Internal, message)
}

fn field_error(field: &str, code: FieldCode, message: &str) -> FieldError {
    FieldError { field: field.to_owned(), code, message: message.to_owned() }
}

pub(crate) fn invalid(field: &str, code: FieldCode, message: &str) -> JobError {
    let mut error = JobError::new(JobErrorCode::InvalidRequest, format!("{field} {message}"));
    error.errors.push(field_error(field, code, message));
    error
}
