//! Randomness that nobody can guess: ids and tokens let whoever knows them in.

/// So many random bytes.
#[must_use]
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the kernel has random bytes");
    bytes
}
