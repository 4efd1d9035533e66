use mercurious_builder::{BuildError, LAYER_MEDIA_TYPE, ProgramError, Warning};
use proptest::prelude::*;

use crate::{
    elf_file::{AARCH64, ElfFile, debian},
    image_content::{build, builder, entries},
};

fn refusal(content: &[u8]) -> ProgramError {
    let root = debian();
    std::fs::write(root.path().join("program"), content).unwrap();
    match build(root.path(), "program") {
        Err(BuildError::Program(error)) => error,
        other => panic!("{:?}", other.map(|(image, _)| image)),
    }
}

#[test]
fn what_is_no_program_is_told_apart() {
    let script = refusal(b"#!/usr/bin/env python3\nprint()\n");
    assert!(script.to_string().contains("a script (`#!/usr/bin/env python3`)"), "{script}");
    assert!(matches!(refusal(b"text"), ProgramError::NotElf { .. }));
    assert!(matches!(refusal(b""), ProgramError::NotElf { .. }));
    let library = refusal(&ElfFile::library("libx.so").bytes());
    assert!(library.to_string().ends_with("is a shared library, not a program"), "{library}");
    let other = refusal(&ElfFile::program().machine(AARCH64).bytes());
    assert!(
        other.to_string().ends_with("is built for linux/arm64, but the image is for linux/amd64"),
        "{other}"
    );
    assert!(matches!(refusal(&ElfFile::program().bytes()[..70]), ProgramError::Damaged { .. }));
}

#[test]
fn a_program_for_another_machine_is_taken_where_the_image_is_for_it() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("program");
    ElfFile::static_program().machine(AARCH64).write(&program);
    let image = mercurious_builder::ImageBuilder::new("linux/arm64/v8".parse().unwrap())
        .binary(&program)
        .system_root(directory.path())
        .build(&directory.path().join("output"))
        .unwrap();
    let config = crate::image_content::config(&image);
    assert_eq!((&config["architecture"], &config["variant"]), (&"arm64".into(), &"v8".into()));
}

#[test]
fn an_absent_program_and_a_bad_name_are_faults_of_the_caller() {
    let root = debian();
    assert!(matches!(
        build(root.path(), "nothing"),
        Err(BuildError::Program(ProgramError::Read { .. }))
    ));
    ElfFile::static_program().write(&root.path().join("a b"));
    assert!(matches!(build(root.path(), "a b"), Err(BuildError::Name { .. })));
    let output = tempfile::tempdir().unwrap();
    assert!(matches!(builder().build(output.path()), Err(BuildError::NoProgram)));
    let renamed = builder()
        .system_root(root.path())
        .binary(root.path().join("a b"))
        .name("a-b")
        .build(output.path());
    assert!(entries(&renamed.unwrap().layers[1]).iter().any(|(path, _)| path == "app/a-b"));
}

#[test]
fn certificates_are_the_systems_or_those_given_or_missed_aloud() {
    let root = debian();
    ElfFile::static_program().write(&root.path().join("program"));
    let (image, _output) = build(root.path(), "program").unwrap();
    assert!(image.warnings.is_empty(), "{:?}", image.warnings);
    let files = crate::image_content::files(&image);
    assert!(files["etc/ssl/certs/ca-certificates.crt"].starts_with(b"-----BEGIN"));

    let own = root.path().join("own.pem");
    std::fs::write(&own, "no certificate").unwrap();
    let output = tempfile::tempdir().unwrap();
    let with =
        builder().system_root(root.path()).binary(root.path().join("program")).certificates(&own);
    assert!(matches!(
        with.build(output.path()),
        Err(BuildError::Certificates { source: None, .. })
    ));
    std::fs::write(&own, "own\n-----BEGIN CERTIFICATE-----\n").unwrap();
    let image = with.build(output.path()).unwrap();
    assert!(
        crate::image_content::files(&image)["etc/ssl/certs/ca-certificates.crt"]
            .starts_with(b"own")
    );

    std::fs::remove_file(root.path().join("etc/ssl/certs/ca-certificates.crt")).unwrap();
    let (image, _output) = build(root.path(), "program").unwrap();
    assert_eq!(image.warnings, [Warning::NoCertificates]);
    assert_eq!(image.layers[0].descriptor.media_type, LAYER_MEDIA_TYPE);
    assert!(!String::from_utf8_lossy(&image.config.bytes).contains("SSL_CERT_FILE"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]
    #[test]
    fn a_damaged_program_is_an_error_or_an_image_but_never_a_panic(
        changes in proptest::collection::vec((0_usize..600, any::<u8>()), 1..6),
        length in 64_usize..700,
    ) {
        let root = tempfile::tempdir().unwrap();
        let mut bytes = ElfFile::program().needs("libc.so.6").runpath("$ORIGIN/x:/y").bytes();
        for (at, value) in changes {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        bytes.truncate(length);
        std::fs::write(root.path().join("program"), bytes).unwrap();
        let _ = build(root.path(), "program");
    }
}
