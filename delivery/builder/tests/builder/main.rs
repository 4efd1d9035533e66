//! Images built from real and from made-up programs, read back by other tools and by a registry.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "these are tests, helpers included")]

mod base;
mod config;
mod elf_file;
mod foreign_tools;
mod image_content;
mod libraries;
mod programs;
mod publish;
mod reproducible;
