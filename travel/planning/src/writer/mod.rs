//! Titles and texts: from templates, always; from a language model, where one is set up and behaves.

mod phrases;
mod template;

use mercurious_contracts::trip::Itinerary;

pub use phrases::Phrases;
pub use template::write;

/// The texts of a trip. Nothing else of an itinerary can be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    /// What the trip is called.
    pub title: String,
    /// What it is about.
    pub summary: String,
    /// Title and text of each day, in order.
    pub days: Vec<(String, String)>,
}

impl Texts {
    /// Puts the texts where they belong; `writer` is who wrote them.
    pub fn put(self, itinerary: &mut Itinerary, writer: &str) {
        itinerary.title = self.title;
        itinerary.summary = Some(self.summary);
        writer.clone_into(&mut itinerary.writer);
        for (day, (title, text)) in itinerary.days.iter_mut().zip(self.days) {
            day.title = title;
            day.text = Some(text);
        }
    }
}
