//! Public holidays from 2026 to 2036.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::civil::Date;

use crate::sources::{HolidaySource, SourceError};

const HOLIDAYS: &str = include_str!("../../../data/holidays.tsv");
const YEARS: std::ops::RangeInclusive<i16> = 2026..=2036;

/// The holidays inside the program.
#[derive(Debug, Clone, Copy, Default)]
pub struct BundledHolidays;

#[async_trait]
impl HolidaySource for BundledHolidays {
    fn name(&self) -> &'static str {
        "holidays"
    }

    async fn holidays(
        &self,
        country: &str,
        days: &[Date],
    ) -> Result<Option<BTreeMap<Date, Vec<String>>>, SourceError> {
        Ok(on(country, days))
    }
}

/// The holidays of a country on those days; none where the country or a year is not known.
pub(crate) fn on(country: &str, days: &[Date]) -> Option<BTreeMap<Date, Vec<String>>> {
    if days.iter().any(|day| !YEARS.contains(&day.year())) {
        return None;
    }
    let mut found: BTreeMap<Date, Vec<String>> = BTreeMap::new();
    let mut known = false;
    for line in HOLIDAYS.lines() {
        let mut columns = line.split('\t');
        if columns.next() != Some(country) {
            continue;
        }
        known = true;
        let (Some(name), Some(dates)) = (columns.next(), columns.next()) else { continue };
        for day in days {
            let (yearly, once) = (day.strftime("%m%d"), day.strftime("%Y%m%d"));
            let (yearly, once) = (yearly.to_string(), once.to_string());
            if dates.split(' ').any(|date| date == yearly || date == once) {
                found.entry(*day).or_default().push(name.to_owned());
            }
        }
    }
    known.then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(country: &str, day: &str) -> Option<Vec<String>> {
        let day: Date = day.parse().unwrap();
        on(country, &[day]).map(|mut found| found.remove(&day).unwrap_or_default())
    }

    #[test]
    fn holidays_are_found_by_country_and_day() {
        assert_eq!(names("PT", "2026-04-25").unwrap(), ["Freedom Day"]);
        assert_eq!(names("PT", "2027-03-26").unwrap(), ["Good Friday"]);
        assert_eq!(names("PT", "2026-04-24").unwrap(), [] as [&str; 0]);
        assert_eq!(names("JP", "2026-01-01").unwrap(), ["New Year's Day"]);
    }

    #[test]
    fn an_unknown_country_or_year_is_not_a_country_without_holidays() {
        assert_eq!(names("ZZ", "2026-04-25"), None);
        assert_eq!(names("PT", "2019-04-25"), None);
        assert_eq!(names("PT", "2040-04-25"), None);
    }
}
