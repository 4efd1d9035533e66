use std::{fmt, str::FromStr, sync::Arc};

/// The longest name, in bytes: that of a namespace, a name and a port together.
const LONGEST: usize = 253;

/// A text that is no name of a pool or endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a name: 1 to {LONGEST} visible ASCII characters")]
pub struct NameError(String);

fn parse(text: &str) -> Result<Arc<str>, NameError> {
    let fits = (1..=LONGEST).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    if fits { Ok(text.into()) } else { Err(NameError(text.chars().take(LONGEST).collect())) }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Reads a name of 1 to 253 visible ASCII characters.
            pub fn new(text: &str) -> Result<Self, NameError> {
                parse(text).map(Self)
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// Names a pool: who answers for one port of a Service, as `shop/web:80`. People read it in answers of the proxy.
    PoolName
}
name! {
    /// Names one instance in a pool, as the name of its Pod. A new instance has a new name.
    EndpointId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_visible() {
        assert_eq!(PoolName::new("shop/web:80").unwrap().as_str(), "shop/web:80");
        for bad in ["", "a b", "a\n", "é", &"x".repeat(254)] {
            assert!(EndpointId::new(bad).is_err(), "{bad:?}");
        }
    }
}
