//! Rough exchange rates, and amounts in other currencies.

use mercurious_contracts::{Currency, facts::ExchangeRate};

use super::{by_hand, lines};

const RATES: &str = include_str!("../../../data/rates.tsv");

/// How many units one gets for a euro, about.
fn per_euro(currency: &Currency) -> Option<f64> {
    let line = lines(RATES).find(|line| line.split('\t').next() == Some(currency.as_str()))?;
    line.split('\t').nth(1)?.parse().ok()
}

/// What one currency is worth in another, about.
pub fn rate(from: &Currency, to: &Currency) -> Option<ExchangeRate> {
    let millionths = per_euro(to)? / per_euro(from)? * 1e6;
    Some(ExchangeRate {
        from: from.clone(),
        to: to.clone(),
        millionths: millionths.round() as u64,
        provenance: by_hand("exchange rates"),
    })
}

/// An amount in the smallest unit of one currency, in the smallest unit of another.
pub fn converted(amount: i64, from: &Currency, to: &Currency) -> Option<i64> {
    if from == to {
        return Some(amount);
    }
    let rate = rate(from, to)?;
    let units = amount as f64 / 10_f64.powi(from.decimals() as i32);
    let other = units * rate.millionths as f64 / 1e6 * 10_f64.powi(to.decimals() as i32);
    Some(other.round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str) -> Currency {
        Currency::new(code).unwrap()
    }

    #[test]
    fn amounts_keep_to_the_decimals_of_each_currency() {
        // Ten euros are about 1700 yen, which have no decimals, and 3.550 dinars, which have three.
        assert_eq!(converted(1_000, &currency("EUR"), &currency("JPY")), Some(1_700));
        assert_eq!(converted(1_000, &currency("EUR"), &currency("KWD")), Some(3_550));
        assert_eq!(converted(1_700, &currency("JPY"), &currency("EUR")), Some(1_000));
        assert_eq!(converted(5, &currency("XPF"), &currency("XPF")), Some(5));
        assert_eq!(converted(5, &currency("XPF"), &currency("EUR")), None);
    }

    #[test]
    fn every_rate_is_one_of_a_currency() {
        for line in lines(RATES) {
            let code = line.split('\t').next().unwrap();
            assert!(per_euro(&currency(code)).unwrap() > 0.0, "{line}");
        }
    }
}
