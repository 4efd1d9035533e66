//! Prints docs/manifests.md: `cargo xtask generate` runs it.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(mercurious_manifests::field_reference().as_bytes())
}
