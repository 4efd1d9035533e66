//! What things cost the party, and what the trip may cost.

use mercurious_contracts::{
    CostRange, MealKind,
    facts::Facts,
    request::{BudgetScope, Travellers, TripRequest},
};
use mercurious_itinerary::trip::limits;

/// Who pays: grown-ups in full, children half, infants nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Party {
    halves: i64,
}

impl Party {
    /// Those who travel.
    pub fn new(travellers: &Travellers) -> Self {
        Self { halves: i64::from(travellers.adults) * 2 + travellers.children.len() as i64 }
    }

    /// What the party pays where a grown-up pays `amount`; halves of the smallest unit are paid in full.
    pub fn pays(self, amount: i64) -> i64 {
        (amount.saturating_mul(self.halves).saturating_add(1) / 2).clamp(0, limits::MONEY)
    }

    /// The same for the least and the most.
    pub fn range(self, cost: &CostRange) -> (i64, i64) {
        (self.pays(cost.min), self.pays(cost.max.max(cost.min)))
    }
}

/// What a meal costs the party wherever one is: the middle of what such places ask for.
pub(super) fn usual_meal(facts: &Facts, party: Party, meal: MealKind) -> i64 {
    let serves = |place: &&mercurious_contracts::facts::PlaceFacts| place.serves.contains(&meal);
    let mut costs: Vec<i64> =
        facts.places.iter().filter(serves).map(|place| place.cost.min).collect();
    costs.sort_unstable();
    party.pays(costs.get(costs.len() / 2).copied().unwrap_or(0))
}

/// What the whole trip and a day may cost, in the currency of the facts.
pub(super) fn budget(
    request: &TripRequest,
    facts: &Facts,
    notes: &mut Vec<(String, String)>,
) -> (Option<i64>, Option<i64>) {
    let Some(budget) = &request.budget else { return (None, None) };
    let total = budget.total(facts.days.len() as u32, request.travellers.count());
    let rate = if budget.currency == facts.currency {
        Some(1_000_000)
    } else {
        let exchange = facts.exchange.as_ref();
        exchange
            .filter(|rate| rate.from == budget.currency && rate.to == facts.currency)
            .map(|rate| rate.millionths)
    };
    let Some(rate) = rate else {
        let message = format!(
            "the budget is in {}, the costs are in {}, and no rate is known: the budget is not applied",
            budget.currency, facts.currency
        );
        notes.push(("budget_not_applied".to_owned(), message));
        return (None, None);
    };
    let local = |amount: i64| {
        let units = i128::from(amount) * i128::from(rate) * 10_i128.pow(facts.currency.decimals());
        let local = units / (1_000_000 * 10_i128.pow(budget.currency.decimals()));
        i64::try_from(local).unwrap_or(i64::MAX).clamp(0, limits::MONEY)
    };
    let per_day = (budget.scope == BudgetScope::PerDay).then(|| local(budget.amount));
    (Some(local(total)), per_day)
}
