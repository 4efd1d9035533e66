//! What was gathered, as facts: the best candidates with hours, scores and prices, and wishes as ids.

use mercurious_contracts::{
    CostRange, Currency,
    facts::{DayFacts, Destination, ExchangeRate, Facts, PlaceFacts},
};

use super::Work;
use crate::{
    hours::{self, PublicHolidays},
    score,
    sources::{FoundPlace, bundled::rates},
    travel, wishes,
};

/// More candidates of a destination, and of all, than this are left out, the lowest scores first.
const MOST: usize = 120;
const MOST_IN_ALL: usize = 480;

impl Work<'_> {
    pub(super) fn facts(
        mut self,
        destinations: Vec<Destination>,
        days: Vec<DayFacts>,
        holidays: &[PublicHolidays],
        found: Vec<Vec<FoundPlace>>,
    ) -> Facts {
        let currency = destinations[0].currency.clone();
        let everything: Vec<FoundPlace> = found.iter().flatten().cloned().collect();
        let mut must_do = wishes::resolve(&self.request.must_do, "must_do", &everything);
        let avoid = wishes::resolve(&self.request.avoid, "avoid", &everything);
        let mut wanted: Vec<String> = must_do.ids.iter().chain(&avoid.ids).cloned().collect();
        for (number, fixed) in self.request.fixed.iter().enumerate() {
            let Some(name) = &fixed.place else { continue };
            let names = std::slice::from_ref(name);
            let resolved = wishes::resolve(names, &format!("fixed[{number}].place"), &everything);
            wanted.extend(resolved.ids);
            must_do.unresolved.extend(resolved.unresolved);
        }
        let mut places = Vec::new();
        let most = MOST.min(MOST_IN_ALL / destinations.len());
        for (number, candidates) in found.into_iter().enumerate() {
            let destination = &destinations[number];
            let here: Vec<DayFacts> =
                days.iter().filter(|day| day.destination == number).cloned().collect();
            let mut scored: Vec<(u32, FoundPlace)> = candidates
                .into_iter()
                .map(|place| {
                    let metres = destination.point.metres_to(place.point);
                    (score::score(&place, self.request, &here, metres), place)
                })
                .collect();
            // What was asked for by name stays, whatever its score.
            scored.sort_by(|one, other| {
                let asked = |place: &FoundPlace| wanted.contains(&place.id);
                (asked(&other.1), other.0, &one.1.id).cmp(&(asked(&one.1), one.0, &other.1.id))
            });
            scored.truncate(most);
            for (score, place) in scored {
                let known = &holidays[number];
                if let Some(place) = self.place(place, (score, number), &days, known, &currency) {
                    places.push(place);
                }
            }
        }
        places.sort_by(|one, other| one.id.cmp(&other.id));
        places.dedup_by(|one, other| one.id == other.id);
        let exchange = self.exchange(&currency);
        let mut unresolved = must_do.unresolved;
        unresolved.extend(avoid.unresolved);
        if places.iter().any(|place| place.estimated) {
            let message = "hours, lengths and prices are estimates; look them up before you go";
            self.warn("estimate", message);
        }
        Facts {
            destinations,
            days,
            places,
            travel: travel::model(self.request),
            currency,
            exchange,
            must_do: must_do.ids,
            avoid: avoid.ids,
            unresolved,
            warnings: self.warnings,
            attributions: self.attributions,
        }
    }

    fn exchange(&mut self, currency: &Currency) -> Option<ExchangeRate> {
        let budget = &self.request.budget.as_ref()?.currency;
        if budget == currency {
            return None;
        }
        let rate = rates::rate(budget, currency);
        if rate.is_none() {
            let message = format!("what {budget} is worth in {currency} is not known");
            self.warn("exchange_rate_unknown", message);
        }
        rate
    }

    fn place(
        &mut self,
        place: FoundPlace,
        (score, destination): (u32, usize),
        days: &[DayFacts],
        holidays: &PublicHolidays,
        currency: &Currency,
    ) -> Option<PlaceFacts> {
        let mut hours = if let Some(hours) = &place.opening_hours {
            match hours::open(hours, days, holidays) {
                Ok(spans) => spans,
                Err(error) => {
                    self.warn("opening_hours_unreadable", format!("{}: {error}", place.name));
                    return None;
                }
            }
        } else {
            // What is usual, where nothing is known.
            let usual = if place.serves.is_empty() { "09:00-18:00" } else { "11:00-22:00" };
            hours::open(usual, days, holidays).unwrap_or_default()
        };
        // On days that are spent elsewhere nobody asks, and thirty days of hours are long.
        for (spans, day) in hours.iter_mut().zip(days) {
            if day.destination != destination {
                spans.clear();
            }
        }
        let cost = |amount| rates::converted(amount, &place.currency, currency);
        let (min, max) = if let (Some(min), Some(max)) = (cost(place.cost.0), cost(place.cost.1)) {
            (min, max)
        } else {
            let message = format!("prices in {} are not known in {currency}", place.currency);
            self.warn("price_unknown", message);
            (0, 0)
        };
        let unknown_hours = place.opening_hours.is_none();
        Some(PlaceFacts {
            id: place.id,
            name: place.name,
            destination,
            point: place.point,
            category: place.category,
            minutes: place.minutes,
            score,
            cost: CostRange { min, max: max.max(min), currency: currency.clone() },
            hours,
            opening_hours: place.opening_hours,
            tags: place.tags.into_iter().collect(),
            serves: place.serves,
            estimated: place.estimated || unknown_hours,
            provenance: place.provenance,
        })
    }
}
