use std::{fmt, time::Duration};

/// Several measurements of the same thing.
#[derive(Clone, Debug, Default)]
pub struct Figures(Vec<f64>);

impl Figures {
    /// Adds one.
    pub fn add(&mut self, figure: f64) {
        self.0.push(figure);
    }

    /// Adds all of others.
    pub fn extend(&mut self, others: &Self) {
        self.0.extend_from_slice(&others.0);
    }

    /// Adds a time, in seconds.
    pub fn add_seconds(&mut self, time: Duration) {
        self.add(time.as_secs_f64());
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }

    /// The least figure that this share of all does not exceed.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let sorted = self.sorted();
        let rank = (share * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.saturating_sub(1)).copied()
    }

    /// The one in the middle; of an even number the mean of both.
    pub fn median(&self) -> Option<f64> {
        let sorted = self.sorted();
        let middle = sorted.len() / 2;
        match sorted.len() {
            0 => None,
            length if length % 2 == 1 => Some(sorted[middle]),
            _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sorted = self.sorted();
        let (Some(median), [least, .., most]) = (self.median(), sorted.as_slice()) else {
            return match sorted.first() {
                Some(only) => write!(formatter, "{only:.2}"),
                None => formatter.write_str("none"),
            };
        };
        write!(formatter, "{median:.2} ({least:.2} to {most:.2}, {} runs)", sorted.len())
    }
}
