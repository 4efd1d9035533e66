//! The front proxy: routes, health, retries, swaps and drains.
