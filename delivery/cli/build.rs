//! Links the program as small as its container image wants it.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if cfg!(feature = "lean") {
        // Half a megabyte of relocations in a few kilobytes, for glibc.
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
