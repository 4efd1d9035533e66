use mercurious_core::image::Digest;

/// An image of the example server.
#[derive(Clone, Debug)]
pub struct Image {
    /// What it answers.
    pub version: String,
    /// Seconds after the first build of all: its place in time.
    pub built: u32,
    /// Variables of the example server, as `EXAMPLE_CRASH_AFTER`.
    pub knobs: Vec<(&'static str, String)>,
    /// The processor that it says it is for, where that is not this machine's.
    pub architecture: Option<&'static str>,
}

/// When the first image was built, in seconds since 1970.
const FIRST_BUILD: i64 = 1_750_000_000;

impl Image {
    /// One with nothing wrong, the `number`-th in time.
    pub fn good(number: u32) -> Self {
        Self { version: format!("v{number}"), built: number, knobs: Vec::new(), architecture: None }
    }

    /// The same with a knob turned.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.knobs.push((name, value.to_owned()));
        self
    }

    /// The same, said to be for another processor; only [`crate::Home::push_like`] can make it.
    #[must_use]
    pub fn for_architecture(self, architecture: &'static str) -> Self {
        Self { architecture: Some(architecture), ..self }
    }

    /// A commit that only this version has; its order says nothing about time.
    pub fn commit(&self) -> String {
        Digest::of(self.version.as_bytes()).hex()[..40].to_owned()
    }

    /// When it was built, in seconds since 1970.
    pub fn created(&self) -> i64 {
        FIRST_BUILD + 60 * i64::from(self.built)
    }

    /// What the example server finds in its environment, as `NAME=VALUE`.
    pub(crate) fn variables(&self) -> Vec<String> {
        let own = [("EXAMPLE_VERSION", self.version.clone()), ("EXAMPLE_COMMIT", self.commit())];
        let all = own.into_iter().chain(self.knobs.iter().cloned());
        all.map(|(name, value)| format!("{name}={value}")).collect()
    }
}
