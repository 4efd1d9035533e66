//! Unpacks image layers safely and runs their entrypoint as a supervised process.
