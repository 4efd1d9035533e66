//! Reading a request from JSON, with every fault.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, DateTime};
use serde_json::Value;
use thiserror::Error;

use super::{
    BaseWish, Budget, BudgetScope, DestinationWish, FixedWish, Mobility, Pace, Travellers,
    TripRequest, default_end, default_language, default_meals, default_start, default_transport,
    limits,
};
use crate::{
    CountryCode, Currency, Language, MealKind, Mode, Point,
    fields::{Faults, Field, Object},
    problem::{FieldCode, FieldError},
};

/// Why a request is not taken: all that is wrong with it.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("the request is wrong: {}", .0.iter().map(|fault| format!("{} {}", fault.field, fault.message)).collect::<Vec<_>>().join("; "))]
pub struct RequestFaults(pub Vec<FieldError>);

impl TripRequest {
    /// Reads a request; names every wrong field at once, at most 100.
    pub fn from_json(body: &[u8]) -> Result<Self, RequestFaults> {
        let mut faults = Faults::default();
        let read = match serde_json::from_slice::<Value>(body) {
            Ok(value) => request(&value, &mut faults),
            Err(error) => {
                faults.add("", FieldCode::Malformed, format!("the body is not JSON: {error}"));
                None
            }
        };
        match read {
            Some(request) if faults.0.is_empty() => Ok(request),
            _ => Err(RequestFaults(faults.0)),
        }
    }
}

fn request(value: &Value, faults: &mut Faults) -> Option<TripRequest> {
    let mut object = Object::new(String::new(), value, faults)?;
    let start = object.need("start_date", faults).and_then(|field| field.date(faults));
    let end = object.need("end_date", faults).and_then(|field| field.date(faults));
    let dates = dates(start, end, faults);
    let (destination, destinations) = destinations(&mut object, dates, faults);
    let travellers = object.take("travellers").and_then(|field| travellers(field, faults));
    let budget = object.take("budget").and_then(|field| budget(field, faults));
    let interests = object.take("interests").map(|field| interests(&field, faults));
    let pace = object
        .take("pace")
        .and_then(|field| field.word::<Pace>(&["relaxed", "moderate", "packed"], faults));
    let mut time = |name, faults: &mut Faults| object.take(name)?.time(faults);
    let day_start = time("day_start", faults);
    let day_end = time("day_end", faults);
    let arrival_time = time("arrival_time", faults);
    let departure_time = time("departure_time", faults);
    let bases = object.take("bases").map(|field| bases(&field, dates, faults));
    let must_do = object.take("must_do").map(|field| names(&field, limits::WISHES, faults));
    let avoid = object.take("avoid").map(|field| names(&field, limits::WISHES, faults));
    let fixed = object.take("fixed").map(|field| fixed(&field, dates, faults));
    let mobility = object.take("mobility").and_then(|field| mobility(field, faults));
    let diet = object.take("diet").map(|field| names(&field, limits::DIETS, faults));
    let transport = object.take("transport").map(|field| transport(&field, faults));
    let meals = object.take("meals").map(|field| {
        let words = ["breakfast", "lunch", "dinner"];
        words_of::<MealKind>(&field, &words, faults)
    });
    let max_per_category =
        object.take("max_per_category").and_then(|field| field.whole(1, 20, faults));
    let language = object.take("language").and_then(|field| field.read(Language::new, faults));
    let seed = object.take("seed").and_then(|field| field.whole(0, limits::SEED, faults));
    if let (Some(must), Some(avoid)) = (&must_do, &avoid) {
        for (number, name) in must.iter().enumerate().filter(|(_, name)| avoid.contains(name)) {
            let message = format!("{name} is in avoid as well");
            faults.add(format!("must_do[{number}]"), FieldCode::Conflict, message);
        }
    }
    object.end(faults);
    let (start_date, end_date) = dates?;
    Some(TripRequest {
        destination,
        destinations,
        start_date,
        end_date,
        travellers: travellers.unwrap_or_default(),
        budget,
        interests: interests.unwrap_or_default(),
        pace: pace.unwrap_or_default(),
        day_start: day_start.unwrap_or_else(default_start),
        day_end: day_end.unwrap_or_else(default_end),
        arrival_time,
        departure_time,
        bases: bases.unwrap_or_default(),
        must_do: must_do.unwrap_or_default(),
        avoid: avoid.unwrap_or_default(),
        fixed: fixed.unwrap_or_default(),
        mobility: mobility.unwrap_or_default(),
        diet: diet.unwrap_or_default(),
        transport: transport.unwrap_or_else(default_transport),
        meals: meals.unwrap_or_else(default_meals),
        max_per_category: max_per_category.map(|count| count as u32),
        language: language.unwrap_or_else(default_language),
        seed: seed.map(|seed| seed as u64),
    })
}

fn dates(start: Option<Date>, end: Option<Date>, faults: &mut Faults) -> Option<(Date, Date)> {
    let (start, end) = (start?, end?);
    let days = i64::from((end - start).get_days()) + 1;
    if days < 1 {
        faults.add("end_date", FieldCode::EndsBeforeStart, "is before start_date");
        return None;
    }
    if days > limits::DAYS {
        let message = format!("makes {days} days; at most {} are planned", limits::DAYS);
        faults.add("end_date", FieldCode::OutOfRange, message);
        return None;
    }
    Some((start, end))
}

fn destinations(
    object: &mut Object<'_>,
    dates: Option<(Date, Date)>,
    faults: &mut Faults,
) -> (Option<DestinationWish>, Vec<DestinationWish>) {
    let (one, many) = (object.take("destination"), object.take("destinations"));
    match (one, many) {
        (None, None) => {
            faults.add("destination", FieldCode::Required, "is missing");
            (None, Vec::new())
        }
        (Some(_), Some(_)) => {
            let message = "does not go together with destination";
            faults.add("destinations", FieldCode::Conflict, message);
            (None, Vec::new())
        }
        (Some(field), None) => (destination(field, faults), Vec::new()),
        (None, Some(field)) => {
            let fields = field.list(limits::DESTINATIONS, faults);
            if fields.is_empty() && field.value.is_array() {
                faults.add(&field.path, FieldCode::Empty, "is empty");
            }
            let count = fields.len();
            let mut nights = 0;
            let mut read = Vec::new();
            for (number, field) in fields.into_iter().enumerate() {
                let path = field.path.clone();
                let Some(wish) = destination(field, faults) else { continue };
                if wish.nights.is_none() && number + 1 < count {
                    let message = "is missing; only the last destination may do without";
                    faults.add(format!("{path}.nights"), FieldCode::Required, message);
                }
                nights += i64::from(wish.nights.unwrap_or(0));
                read.push(wish);
            }
            if let Some((start, end)) = dates {
                let possible = i64::from((end - start).get_days());
                if nights > possible {
                    let message = format!("have {nights} nights; the trip has {possible}");
                    faults.add(&field.path, FieldCode::Conflict, message);
                }
            }
            (None, read)
        }
    }
}

fn destination(field: Field<'_>, faults: &mut Faults) -> Option<DestinationWish> {
    let path = field.path.clone();
    let mut object = field.object(faults)?;
    let mut given = 0;
    let mut text = |name, faults: &mut Faults| {
        let field = object.take(name)?;
        given += 1;
        field.text(limits::NAME, faults).map(str::to_owned)
    };
    let name = text("name", faults);
    let place_id = text("place_id", faults);
    let at = object.take("point");
    given += usize::from(at.is_some());
    let point = at.and_then(|field| point(field, faults));
    let country = object.take("country").and_then(|field| field.read(CountryCode::new, faults));
    let nights = object.take("nights").and_then(|field| field.whole(0, 29, faults));
    object.end(faults);
    if given == 0 {
        faults.add(&path, FieldCode::Required, "needs one of name, place_id and point");
    } else if given > 1 {
        faults.add(&path, FieldCode::Conflict, "has more than one of name, place_id and point");
    }
    let nights = nights.map(|nights| nights as u32);
    Some(DestinationWish { name, place_id, point, country, nights })
}

fn point(field: Field<'_>, faults: &mut Faults) -> Option<Point> {
    let mut object = field.object(faults)?;
    let lat = object.need("lat", faults).and_then(|field| field.number(-90.0, 90.0, faults));
    let lon = object.need("lon", faults).and_then(|field| field.number(-180.0, 180.0, faults));
    object.end(faults);
    Some(Point { lat: lat?, lon: lon? })
}

fn travellers(field: Field<'_>, faults: &mut Faults) -> Option<Travellers> {
    let mut object = field.object(faults)?;
    let most = limits::TRAVELLERS;
    let adults = object.need("adults", faults).and_then(|field| field.whole(1, most, faults));
    let children = object.take("children").map(|field| {
        let ages = field.list(most as usize, faults);
        ages.iter().filter_map(|age| age.whole(2, 17, faults)).map(|age| age as u8).collect()
    });
    let infants = object.take("infants").and_then(|field| field.whole(0, most, faults));
    object.end(faults);
    Some(Travellers {
        adults: adults? as u32,
        children: children.unwrap_or_default(),
        infants: infants.unwrap_or(0) as u32,
    })
}

fn budget(field: Field<'_>, faults: &mut Faults) -> Option<Budget> {
    let mut object = field.object(faults)?;
    let currency =
        object.need("currency", faults).and_then(|field| field.read(Currency::new, faults));
    let amount = object.need("amount", faults);
    let amount = amount.and_then(|field| amount_of(&field, currency.as_ref(), faults));
    let scope = object
        .take("scope")
        .and_then(|field| field.word::<BudgetScope>(&["total", "per_day", "per_person"], faults));
    object.end(faults);
    Some(Budget { amount: amount?, currency: currency?, scope: scope.unwrap_or_default() })
}

/// An amount in the smallest unit, from a whole number of them or from a decimal text.
fn amount_of(field: &Field<'_>, currency: Option<&Currency>, faults: &mut Faults) -> Option<i64> {
    let Value::String(text) = field.value else {
        return field.whole(0, limits::MONEY, faults);
    };
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let dot = text.contains('.');
    if whole.is_empty() || !digits(whole) || !digits(decimals) || (dot && decimals.is_empty()) {
        let message = "is not an amount, such as \"12.50\"";
        faults.add(&field.path, FieldCode::Malformed, message);
        return None;
    }
    let currency = currency?;
    let places = currency.decimals() as usize;
    if decimals.len() > places {
        let message = format!("has {} decimals; {currency} has {places}", decimals.len());
        faults.add(&field.path, FieldCode::Malformed, message);
        return None;
    }
    let amount = format!("{whole}{decimals:0<places$}").parse::<i64>().ok();
    let amount = amount.filter(|amount| *amount <= limits::MONEY);
    if amount.is_none() {
        faults.add(&field.path, FieldCode::OutOfRange, "is too large");
    }
    amount
}

fn interests(field: &Field<'_>, faults: &mut Faults) -> BTreeMap<String, u8> {
    let Value::Object(values) = field.value else {
        faults.add(&field.path, FieldCode::Malformed, "is not an object of numbers from 1 to 5");
        return BTreeMap::new();
    };
    if values.len() > limits::INTERESTS {
        let message = format!("has more than {} entries", limits::INTERESTS);
        faults.add(&field.path, FieldCode::TooLong, message);
    }
    let mut read = BTreeMap::new();
    for (name, value) in values.iter().take(limits::INTERESTS) {
        let shown: String = name.chars().take(60).collect();
        let path = format!("{}.{shown}", field.path);
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if name.is_empty() || name.len() > 60 || !name.bytes().all(plain) {
            let message = "is not a category: small letters, digits and _, at most 60";
            faults.add(path, FieldCode::Malformed, message);
            continue;
        }
        if let Some(weight) = (Field { path, value }).whole(1, 5, faults) {
            read.insert(name.clone(), weight as u8);
        }
    }
    read
}

fn bases(field: &Field<'_>, dates: Option<(Date, Date)>, faults: &mut Faults) -> Vec<BaseWish> {
    let mut seen = BTreeSet::new();
    let mut read = Vec::new();
    for field in field.list(limits::DAYS as usize + 1, faults) {
        let Some(mut object) = field.object(faults) else { continue };
        let on = object.take("date").and_then(|field| field.date(faults));
        let start = object.need("start", faults).and_then(|field| point(field, faults));
        let end = object.take("end").and_then(|field| point(field, faults));
        if !seen.insert(on) {
            faults.add(object.at("date"), FieldCode::Duplicate, "has a base already");
        }
        if let (Some(on), Some((first, last))) = (on, dates)
            && !(first..=last).contains(&on)
        {
            faults.add(object.at("date"), FieldCode::OutOfRange, "is not a day of the trip");
        }
        object.end(faults);
        if let Some(start) = start {
            read.push(BaseWish { date: on, start, end });
        }
    }
    read
}

fn fixed(field: &Field<'_>, dates: Option<(Date, Date)>, faults: &mut Faults) -> Vec<FixedWish> {
    let mut read = Vec::new();
    for field in field.list(limits::FIXED, faults) {
        let Some(mut object) = field.object(faults) else { continue };
        let title = object.need("title", faults).and_then(|field| field.text(limits::NAME, faults));
        let start = object.need("start", faults).and_then(|field| field.read(moment, faults));
        let end = object.need("end", faults).and_then(|field| field.read(moment, faults));
        let at = object.need("point", faults).and_then(|field| point(field, faults));
        let place = object.take("place").and_then(|field| field.text(limits::NAME, faults));
        if let (Some(start), Some(end)) = (start, end) {
            if end <= start {
                faults.add(object.at("end"), FieldCode::EndsBeforeStart, "is not after start");
            } else if (end - start).get_days() > 0 {
                faults.add(object.at("end"), FieldCode::OutOfRange, "is a day or more after start");
            }
            if let Some((first, last)) = dates
                && !(first..=last).contains(&start.date())
            {
                faults.add(object.at("start"), FieldCode::OutOfRange, "is not within the trip");
            }
        }
        object.end(faults);
        if let (Some(title), Some(start), Some(end), Some(point)) = (title, start, end, at) {
            let (title, place) = (title.to_owned(), place.map(str::to_owned));
            read.push(FixedWish { title, start, end, point, place });
        }
    }
    read
}

fn mobility(field: Field<'_>, faults: &mut Faults) -> Option<Mobility> {
    let mut object = field.object(faults)?;
    let walk = object.take("max_walk_m").and_then(|field| field.whole(0, 100_000, faults));
    let wheelchair = object.take("wheelchair").and_then(|field| field.boolean(faults));
    object.end(faults);
    let max_walk_m = walk.map(|metres| metres as u32);
    Some(Mobility { max_walk_m, wheelchair: wheelchair.unwrap_or(false) })
}

fn transport(field: &Field<'_>, faults: &mut Faults) -> Vec<Mode> {
    let modes = words_of::<Mode>(field, &["walk", "transit", "car", "taxi"], faults);
    if modes.contains(&Mode::Car) && (modes.contains(&Mode::Transit) || modes.contains(&Mode::Taxi))
    {
        let message = "has a car of one's own beside transit or taxi";
        faults.add(&field.path, FieldCode::Conflict, message);
    }
    modes
}

/// A list of words, each once.
fn words_of<T: serde::de::DeserializeOwned + PartialEq>(
    field: &Field<'_>,
    words: &[&str],
    faults: &mut Faults,
) -> Vec<T> {
    let mut read = Vec::new();
    for field in field.list(words.len(), faults) {
        let Some(word) = field.word(words, faults) else { continue };
        if read.contains(&word) {
            faults.add(&field.path, FieldCode::Duplicate, "is there twice");
        } else {
            read.push(word);
        }
    }
    read
}

/// A list of names, each once.
fn names(field: &Field<'_>, most: usize, faults: &mut Faults) -> Vec<String> {
    let mut read: Vec<String> = Vec::new();
    for field in field.list(most, faults) {
        let Some(name) = field.text(limits::NAME, faults) else { continue };
        if read.iter().any(|known| known == name) {
            faults.add(&field.path, FieldCode::Duplicate, "is there twice");
        } else {
            read.push(name.to_owned());
        }
    }
    read
}

/// A date and a time as a clock shows it, to the minute.
pub(super) fn moment(text: &str) -> Result<DateTime, &'static str> {
    const SHAPE: &str = "is not a date and time there, such as 2026-05-04T19:30, without an offset";
    let (date, time) = text.split_once('T').ok_or(SHAPE)?;
    let time = crate::fields::clock(time).ok_or(SHAPE)?;
    if date.len() != 10 {
        return Err(SHAPE);
    }
    let date: Date = date.parse().map_err(|_| SHAPE)?;
    if !(1970..=2199).contains(&date.year()) {
        return Err("is not between 1970 and 2199");
    }
    Ok(date.to_datetime(time))
}
