use std::path::Path;

use mercurious_builder::{BuildError, LibraryError};

use crate::{
    elf_file::{AARCH64, ElfFile, debian},
    image_content::{build, files},
};

const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";
const LIBC: &str = "/lib/x86_64-linux-gnu/libc.so.6";

fn libraries(root: &Path, program: &ElfFile) -> Result<Vec<String>, BuildError> {
    program.write(&root.join("opt/thing/bin/program"));
    build(root, "opt/thing/bin/program").map(|(image, _)| image.libraries)
}

#[test]
fn a_static_program_needs_nothing() {
    let root = debian();
    let found = libraries(root.path(), &ElfFile::static_program()).unwrap();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn libraries_of_libraries_come_too_under_the_names_asked_for() {
    let root = debian();
    let directory = root.path().join("usr/lib/x86_64-linux-gnu");
    ElfFile::library("libone.so.1").needs("libtwo.so").write(&directory.join("libone.so.1.2.3"));
    std::os::unix::fs::symlink("libone.so.1.2.3", directory.join("libone.so.1")).unwrap();
    ElfFile::library("libtwo.so").needs("libc.so.6").write(&directory.join("libtwo.so"));
    let program = ElfFile::program().needs("libone.so.1").needs("libc.so.6");
    let found = libraries(root.path(), &program).unwrap();
    let expected =
        [LIBC, "/lib/x86_64-linux-gnu/libone.so.1", "/lib/x86_64-linux-gnu/libtwo.so", LOADER];
    assert_eq!(found, expected);
    let (image, _output) = build(root.path(), "opt/thing/bin/program").unwrap();
    let content = files(&image);
    // Real files, not links into directories that the image does not have.
    assert_eq!(
        content["lib/x86_64-linux-gnu/libone.so.1"],
        std::fs::read(directory.join("libone.so.1.2.3")).unwrap()
    );
    assert!(content["lib64/ld-linux-x86-64.so.2"].starts_with(b"\x7fELF"));
}

#[test]
fn origin_is_the_place_in_the_image() {
    let root = debian();
    ElfFile::library("liba.so")
        .needs("libb.so")
        .runpath("$ORIGIN/deep")
        .write(&root.path().join("opt/thing/lib/liba.so"));
    ElfFile::library("libb.so").write(&root.path().join("opt/thing/lib/deep/libb.so"));
    let program =
        ElfFile::program().needs("liba.so").needs("libc.so.6").runpath("${ORIGIN}/../lib");
    let found = libraries(root.path(), &program).unwrap();
    // The program lies in /app, so its ../lib is /lib.
    assert_eq!(found, ["/lib/deep/libb.so", "/lib/liba.so", LIBC, LOADER]);
}

#[test]
fn a_runpath_is_for_its_own_file_but_an_rpath_for_all_below() {
    let root = debian();
    ElfFile::library("liba.so").needs("libb.so").write(&root.path().join("srv/lib/liba.so"));
    ElfFile::library("libb.so").write(&root.path().join("srv/lib/libb.so"));
    let program = ElfFile::program().needs("liba.so");
    let found = libraries(root.path(), &program.clone().rpath("/srv/lib")).unwrap();
    assert_eq!(found, [LOADER, "/srv/lib/liba.so", "/srv/lib/libb.so"]);

    let error = libraries(root.path(), &program.clone().runpath("/srv/lib")).unwrap_err();
    let BuildError::Library(LibraryError::Missing { library, needed_by, looked_in }) = &error
    else {
        panic!("{error}");
    };
    assert_eq!(library, "libb.so");
    assert!(needed_by.ends_with("/srv/lib/liba.so"), "{needed_by}");
    assert!(!looked_in.contains(&"/srv/lib".to_owned()), "{looked_in:?}");

    // Beside a runpath an rpath counts for nothing.
    let both = program.rpath("/srv/lib").runpath("/elsewhere");
    assert!(libraries(root.path(), &both).is_err());
}

#[test]
fn a_configured_directory_comes_first_and_ends_beside_libc() {
    let root = debian();
    ElfFile::library("libl.so.1")
        .payload("local")
        .write(&root.path().join("usr/local/lib/libl.so.1"));
    ElfFile::library("libl.so.1").payload("system").write(&root.path().join("usr/lib/libl.so.1"));
    let program = ElfFile::program().needs("libl.so.1").needs("libc.so.6");
    let found = libraries(root.path(), &program).unwrap();
    // The image has no ld.so.cache, so its loader would not look in /usr/local/lib.
    assert_eq!(found, [LIBC, "/lib/x86_64-linux-gnu/libl.so.1", LOADER]);
    let (image, _output) = build(root.path(), "opt/thing/bin/program").unwrap();
    assert!(files(&image)["lib/x86_64-linux-gnu/libl.so.1"].ends_with(b"local"));
}

#[test]
fn a_linkers_script_is_passed_over() {
    let root = debian();
    let local = root.path().join("usr/local/lib");
    std::fs::create_dir_all(&local).unwrap();
    std::fs::write(local.join("libn.so"), "INPUT(-ltinfo)").unwrap();
    let program = ElfFile::program().needs("libn.so");
    let error = libraries(root.path(), &program).unwrap_err().to_string();
    assert!(error.contains("/usr/local/lib (has one that is no library)"), "{error}");
    ElfFile::library("libn.so").write(&root.path().join("usr/lib/libn.so"));
    assert_eq!(libraries(root.path(), &program).unwrap(), ["/lib/libn.so", LOADER]);
}

#[test]
fn a_library_for_another_machine_is_passed_over() {
    let root = debian();
    ElfFile::library("libm.so.6")
        .machine(AARCH64)
        .write(&root.path().join("usr/local/lib/libm.so.6"));
    let program = ElfFile::program().needs("libm.so.6").needs("libc.so.6");
    let error = libraries(root.path(), &program).unwrap_err();
    assert!(error.to_string().contains("/usr/local/lib (has one for another machine)"), "{error}");
    ElfFile::library("libm.so.6").write(&root.path().join("usr/lib/x86_64-linux-gnu/libm.so.6"));
    assert!(
        libraries(root.path(), &program)
            .unwrap()
            .contains(&"/lib/x86_64-linux-gnu/libm.so.6".to_owned())
    );
}

#[test]
fn a_missing_library_is_named_with_who_needs_it_and_where_was_looked() {
    let root = debian();
    let error = libraries(root.path(), &ElfFile::program().needs("libgone.so.3")).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("library `libgone.so.3`, needed by"), "{text}");
    assert!(text.contains("opt/thing/bin/program`"), "{text}");
    assert!(
        text.contains("looked in /usr/local/lib, /lib/x86_64-linux-gnu, /usr/lib/x86_64-linux-gnu"),
        "{text}"
    );
}

#[test]
fn a_missing_loader_is_named() {
    let root = debian();
    let error = libraries(root.path(), &ElfFile::program().interpreter("/nix/ld.so")).unwrap_err();
    assert!(matches!(error, BuildError::Library(LibraryError::NoInterpreter { .. })), "{error}");
}

#[test]
fn libraries_that_need_each_other_end() {
    let root = debian();
    let directory = root.path().join("usr/lib");
    ElfFile::library("libx.so").needs("liby.so").write(&directory.join("libx.so"));
    ElfFile::library("liby.so").needs("libx.so").write(&directory.join("liby.so"));
    let found =
        libraries(root.path(), &ElfFile::program().needs("libx.so").needs("libc.so.6")).unwrap();
    assert_eq!(found, ["/lib/libx.so", "/lib/liby.so", LIBC, LOADER]);
}

#[test]
fn an_old_glibc_gets_its_name_service_libraries() {
    let root = debian();
    let directory = root.path().join("usr/lib/x86_64-linux-gnu");
    for name in ["libnss_files.so.2", "libnss_dns.so.2", "libgcc_s.so.1", "libresolv.so.2"] {
        let library = ElfFile::library(name);
        let library =
            if name == "libnss_dns.so.2" { library.needs("libresolv.so.2") } else { library };
        library.write(&directory.join(name));
    }
    let program = ElfFile::program().needs("libc.so.6");
    let new = libraries(root.path(), &program).unwrap();
    assert_eq!(new, [LIBC, "/lib/x86_64-linux-gnu/libgcc_s.so.1", LOADER]);
    ElfFile::library("libc.so.6").mentions("GLIBC_2.31").write(&directory.join("libc.so.6"));
    let old = libraries(root.path(), &program).unwrap();
    for name in ["libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2"] {
        assert!(old.contains(&format!("/lib/x86_64-linux-gnu/{name}")), "{name} in {old:?}");
    }
}

#[test]
fn each_family_of_distributions_keeps_its_directories() {
    for (libc, conf) in [("usr/lib64", ""), ("usr/lib", ""), ("usr/lib64", "/opt/x\n")] {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        std::fs::create_dir_all(at("usr/lib64")).unwrap();
        std::fs::create_dir_all(at("etc")).unwrap();
        std::fs::write(at("etc/ld.so.conf"), conf).unwrap();
        std::os::unix::fs::symlink("usr/lib64", at("lib64")).unwrap();
        ElfFile::library("ld-linux-x86-64.so.2").write(&at("usr/lib64/ld-linux-x86-64.so.2"));
        ElfFile::library("libc.so.6").write(&at(&format!("{libc}/libc.so.6")));
        ElfFile::library("liba.so")
            .write(&at(&format!("{}/liba.so", if conf.is_empty() { libc } else { "opt/x" })));
        let found = libraries(root.path(), &ElfFile::program().needs("liba.so").needs("libc.so.6"))
            .unwrap();
        let directory = if libc == "usr/lib" { "/usr/lib" } else { "/lib64" };
        let mut expected = vec![
            format!("{directory}/liba.so"),
            format!("{directory}/libc.so.6"),
            LOADER.to_owned(),
        ];
        expected.sort();
        assert_eq!(found, expected);
    }
}

#[test]
fn musl_answers_for_libc_itself_and_has_directories_of_its_own() {
    let root = tempfile::tempdir().unwrap();
    let loader = "/lib/ld-musl-x86_64.so.1";
    ElfFile::library("libc.musl-x86_64.so.1").write(&root.path().join("lib/ld-musl-x86_64.so.1"));
    ElfFile::library("libz.so.1").write(&root.path().join("usr/lib/libz.so.1"));
    ElfFile::library("libq.so.1").needs("libc.so").write(&root.path().join("opt/musl/libq.so.1"));
    let program =
        ElfFile::program().interpreter(loader).needs("libc.musl-x86_64.so.1").needs("libz.so.1");
    assert_eq!(libraries(root.path(), &program).unwrap(), [loader, "/usr/lib/libz.so.1"]);

    std::fs::create_dir_all(root.path().join("etc")).unwrap();
    std::fs::write(root.path().join("etc/ld-musl-x86_64.path"), "/opt/musl:/usr/lib\n").unwrap();
    let program = program.needs("libq.so.1");
    let found = libraries(root.path(), &program).unwrap();
    assert_eq!(found, [loader, "/lib/libq.so.1", "/usr/lib/libz.so.1"]);
}

#[test]
fn a_library_cannot_take_the_place_of_the_images_own_files() {
    let root = debian();
    ElfFile::library("passwd").write(&root.path().join("etc/passwd"));
    let error = libraries(root.path(), &ElfFile::program().needs("/etc/passwd")).unwrap_err();
    assert!(matches!(error, BuildError::Library(LibraryError::Forbidden { .. })), "{error}");
}
