//! Randomness that nobody can guess: ids and tokens let whoever knows them in.

/// So many random bytes.
#[must_use]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[expect(
        clippy::expect_used,
        reason = "a machine without randomness can do nothing here, and the kernel has it"
    )]
    getrandom::fill(&mut bytes).expect("the kernel has random bytes");
    bytes
}
