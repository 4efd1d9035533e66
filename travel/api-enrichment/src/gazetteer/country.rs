//! The table of countries: currency, languages, name.

const COUNTRIES: &str = include_str!("../../data/countries.tsv");

/// One country.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Country {
    /// Its two letters (ISO 3166-1).
    pub code: &'static str,
    /// Its name in English.
    pub name: &'static str,
    /// Its currency (ISO 4217); empty where there is none.
    pub currency: &'static str,
    /// Its languages, the most common first (BCP 47).
    pub languages: Vec<&'static str>,
}

/// The country with these two letters.
pub fn by_code(code: &str) -> Option<Country> {
    let line = COUNTRIES.lines().find(|line| {
        line.get(..2).is_some_and(|known| known.eq_ignore_ascii_case(code) && code.len() == 2)
    })?;
    let mut columns = line.split('\t');
    Some(Country {
        code: columns.next()?,
        name: columns.next()?,
        currency: columns.next()?,
        languages: columns.next()?.split(',').filter(|language| !language.is_empty()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_has_its_currency_and_its_languages() {
        let switzerland = by_code("ch").unwrap();
        assert_eq!((switzerland.name, switzerland.currency), ("Switzerland", "CHF"));
        assert_eq!(switzerland.languages[0], "de-CH");
        assert_eq!(by_code("XX"), None);
        assert_eq!(by_code(""), None);
    }

    #[test]
    fn every_currency_is_one_of_iso_4217() {
        for line in COUNTRIES.lines() {
            let country = by_code(&line[..2]).unwrap();
            if !country.currency.is_empty() {
                let known = mercurious_contracts::Currency::new(country.currency);
                assert!(known.is_ok(), "{country:?}");
            }
        }
    }
}
