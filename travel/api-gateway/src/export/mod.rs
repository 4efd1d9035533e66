//! Trips for other programs: calendar (RFC 5545), map (RFC 7946), table (RFC 4180) and text (CommonMark).
//!
//! Names and texts come from strangers; each format has its own way to be tricked by them, and each writer
//! escapes what its readers would take for more than text.

mod csv;
mod geojson;
mod ics;
mod markdown;
mod slot;
#[cfg(test)]
mod tests;

use thiserror::Error;

use crate::store::StoredTrip;

/// A format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A calendar.
    Ics,
    /// A text.
    Markdown,
    /// A map.
    GeoJson,
    /// A table.
    Csv,
}

/// Why a trip cannot be written.
#[derive(Debug, Error)]
pub enum ExportError {
    /// A slot's time is none.
    #[error("the time {0:?} in the trip cannot be read")]
    Time(String),
    /// The writer says no.
    #[error("the trip cannot be written as {0}")]
    Write(&'static str),
}

impl Format {
    /// The format that a file's name ends with.
    pub fn of_extension(extension: &str) -> Option<Self> {
        match extension {
            "ics" => Some(Self::Ics),
            "md" => Some(Self::Markdown),
            "geojson" => Some(Self::GeoJson),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }

    /// What a file's name ends with.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Ics => "ics",
            Self::Markdown => "md",
            Self::GeoJson => "geojson",
            Self::Csv => "csv",
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Ics => "text/calendar; charset=utf-8",
            Self::Markdown => "text/markdown; charset=utf-8",
            Self::GeoJson => "application/geo+json",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }

    /// Writes a trip.
    pub fn write(self, trip: &StoredTrip) -> Result<String, ExportError> {
        match self {
            Self::Ics => ics::write(trip),
            Self::Markdown => Ok(markdown::write(&trip.trip)),
            Self::GeoJson => geojson::write(&trip.trip),
            Self::Csv => csv::write(&trip.trip),
        }
    }
}
