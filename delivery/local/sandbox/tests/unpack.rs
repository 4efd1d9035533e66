//! Layers, good and hostile, to root file systems.

#![expect(clippy::unwrap_used, reason = "tests, and what only they call")]

use std::{
    collections::BTreeSet,
    fs,
    io::{Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::Path,
};

use flate2::{Compression as Level, write::GzEncoder};
use mercurious_core::image::Digest;
use mercurious_sandbox::unpack::{
    Bound, ImageStore, Layer, LayerError, Refusal, UnpackError, UnpackLimits, Unpacked,
};
use tar::{EntryType, Header};
use tempfile::TempDir;

const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const PLAIN: &str = "application/vnd.oci.image.layer.v1.tar";
const CONFIG: &str = r#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]},
    "config":{"Entrypoint":["/app"],"Cmd":["serve"],"Env":["A=b=c"],"WorkingDir":"/srv","User":"65532",
    "StopSignal":"SIGINT","ExposedPorts":{"8080/tcp":{}}}}"#;

/// An archive whose names are written as they are, which the builder of the tar crate refuses to do.
#[derive(Default)]
struct Tar(Vec<u8>);

impl Tar {
    fn entry(mut self, kind: EntryType, name: &str, link: &str, mode: u32, data: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(data.len() as u64);
        let gnu = header.as_gnu_mut().expect("made as one");
        gnu.name[..name.len()].copy_from_slice(name.as_bytes());
        gnu.linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn file(self, name: &str, data: &str) -> Self {
        self.entry(EntryType::Regular, name, "", 0o644, data.as_bytes())
    }

    fn directory(self, name: &str) -> Self {
        self.entry(EntryType::Directory, name, "", 0o755, b"")
    }

    fn link(self, name: &str, target: &str) -> Self {
        self.entry(EntryType::Symlink, name, target, 0o777, b"")
    }

    fn hard_link(self, name: &str, target: &str) -> Self {
        self.entry(EntryType::Link, name, target, 0o644, b"")
    }

    fn bytes(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 1024]);
        self.0
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Level::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A store in a directory of its own, with something outside that must not change.
struct World {
    directory: TempDir,
    store: ImageStore,
    limits: UnpackLimits,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("outside")).unwrap();
        fs::write(directory.path().join("outside/secret"), "untouched").unwrap();
        let store = ImageStore::open(&directory.path().join("images")).unwrap();
        Self { directory, store, limits: UnpackLimits::default() }
    }

    fn layer(&self, index: usize, media_type: &str, packed: &[u8], content: &[u8]) -> Layer {
        let path = self.directory.path().join(format!("layer-{index}"));
        fs::write(&path, packed).unwrap();
        Layer {
            media_type: media_type.to_owned(),
            digest: Digest::of(packed),
            diff_id: Digest::of(content),
            path,
        }
    }

    fn unpack_layers(&self, layers: &[Layer]) -> Result<Unpacked, UnpackError> {
        let found =
            self.store.unpack(&Digest::of(b"manifest"), layers, CONFIG.as_bytes(), &self.limits);
        let secret = fs::read_to_string(self.directory.path().join("outside/secret")).unwrap();
        assert_eq!(secret, "untouched");
        assert_eq!(fs::read_dir(self.directory.path().join("outside")).unwrap().count(), 1);
        let left = fs::read_dir(self.directory.path().join("images")).unwrap().count();
        assert_eq!(left, usize::from(found.is_ok()), "half an image is left");
        found
    }

    fn unpack(&self, tars: Vec<Tar>) -> Result<Unpacked, UnpackError> {
        let layers: Vec<_> = tars
            .into_iter()
            .enumerate()
            .map(|(index, tar)| {
                let content = tar.bytes();
                self.layer(index, GZIP, &gzip(&content), &content)
            })
            .collect();
        self.unpack_layers(&layers)
    }

    fn layer_error(&self, tars: Vec<Tar>) -> LayerError {
        fault(self.unpack(tars))
    }

    fn refusal(&self, tar: Tar) -> (String, Refusal) {
        match self.layer_error(vec![tar]) {
            LayerError::Refused { entry, source } => (entry, source),
            other => panic!("not refused: {other:?}"),
        }
    }
}

fn fault(found: Result<Unpacked, UnpackError>) -> LayerError {
    match found {
        Err(UnpackError::Layer { source, .. }) => source,
        other => panic!("not a fault of a layer: {other:?}"),
    }
}

fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn an_image_is_unpacked_with_its_configuration() {
    let world = World::new();
    let tar = Tar::default().directory("bin/").file("./bin/app", "program").link("sbin", "/bin");
    let unpacked = world.unpack(vec![tar]).unwrap();
    assert_eq!(fs::read_to_string(unpacked.rootfs.join("bin/app")).unwrap(), "program");
    assert_eq!(fs::read_link(unpacked.rootfs.join("sbin")).unwrap(), Path::new("/bin"));
    assert_eq!(unpacked.config.entrypoint, ["/app"]);
    assert_eq!(unpacked.config.cmd, ["serve"]);
    assert_eq!(unpacked.config.env, [("A".to_owned(), "b=c".to_owned())]);
    assert_eq!(unpacked.config.workdir, "/srv");
    assert_eq!(unpacked.config.user.as_deref(), Some("65532"));
    assert_eq!(unpacked.config.stop_signal.as_deref(), Some("SIGINT"));
    assert_eq!(unpacked.config.exposed_ports, ["8080/tcp"]);
    for point in ["proc", "dev", "tmp", "run", "var/tmp", "etc"] {
        assert!(unpacked.rootfs.join(point).is_dir(), "{point} is missing");
    }
    let reopened = ImageStore::open(&world.directory.path().join("images")).unwrap();
    assert_eq!(reopened.get(&Digest::of(b"manifest")), Some(unpacked));
}

#[test]
fn what_nobody_keeps_is_removed() {
    let world = World::new();
    world.unpack(vec![Tar::default().file("a", "")]).unwrap();
    let digest = Digest::of(b"manifest");
    let index = Digest::of(b"index");
    world.store.note_index(&digest, &index).unwrap();
    let kept =
        world.store.retain(|own, indexes| own == digest.hex() && indexes.contains(index.hex()));
    assert_eq!(kept.unwrap(), 0);
    assert!(world.store.get(&digest).is_some());
    assert_eq!(world.store.retain(|_, _| false).unwrap(), 1);
    assert_eq!(world.store.get(&digest), None);
}

#[test]
fn what_a_power_cut_left_is_removed_or_replaced() {
    let world = World::new();
    let images = world.directory.path().join("images");
    fs::create_dir_all(images.join(".unpack-x/rootfs")).unwrap();
    fs::create_dir_all(images.join(Digest::of(b"manifest").hex()).join("rootfs")).unwrap();
    ImageStore::open(&images).unwrap();
    assert!(!images.join(".unpack-x").exists());
    let unpacked = world.unpack(vec![Tar::default().file("a", "whole")]).unwrap();
    assert_eq!(fs::read_to_string(unpacked.rootfs.join("a")).unwrap(), "whole");
}

#[test]
fn zstandard_layers_are_unpacked_frame_by_frame() {
    let world = World::new();
    let content = Tar::default().file("a", "one").file("b", "two").bytes();
    let (first, second) = content.split_at(700);
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let mut packed = ruzstd::encoding::compress_to_vec(first, level);
    packed.extend_from_slice(&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
    packed.extend(ruzstd::encoding::compress_to_vec(second, level));
    let layer = world.layer(0, "application/vnd.oci.image.layer.v1.tar+zstd", &packed, &content);
    let unpacked = world.unpack_layers(&[layer]).unwrap();
    assert_eq!(fs::read_to_string(unpacked.rootfs.join("b")).unwrap(), "two");
}

#[test]
fn whiteouts_remove_what_earlier_layers_hold() {
    let world = World::new();
    let lower = Tar::default()
        .file("d/gone", "x")
        .file("d/stays", "x")
        .file("tree/deep/gone", "x")
        .file("opaque/gone", "x")
        .file("opaque/sub/gone", "x");
    let upper = Tar::default()
        .file("d/.wh.gone", "")
        .file(".wh.tree", "")
        .file("d/.wh.never-was", "")
        .file("opaque/new", "new")
        .file("opaque/sub/new", "new")
        // After its siblings: still only what earlier layers hold.
        .file("opaque/.wh..wh..opq", "");
    let rootfs = world.unpack(vec![lower, upper]).unwrap().rootfs;
    assert_eq!(names(&rootfs.join("d")), ["stays".to_owned()].into());
    assert!(!rootfs.join("tree").exists());
    assert_eq!(names(&rootfs.join("opaque")), ["new".to_owned(), "sub".to_owned()].into());
    assert_eq!(names(&rootfs.join("opaque/sub")), ["new".to_owned()].into());
}

#[test]
fn whiteouts_cannot_reach_outside() {
    let world = World::new();
    let outside = world.directory.path().join("outside");
    let lower = Tar::default().link("way", outside.to_str().unwrap());
    // The link leads to a place of the image, which is made there.
    world.unpack(vec![lower, Tar::default().file("way/.wh.secret", "")]).unwrap();
    let (_, refusal) = World::new().refusal(Tar::default().file(".wh...", ""));
    assert_eq!(refusal, Refusal::Name);
}

#[test]
fn names_that_leave_the_image_are_refused_by_name() {
    for (name, expected) in [
        ("../outside/new", Refusal::ParentPath),
        ("a/../../outside/new", Refusal::ParentPath),
        ("/outside/new", Refusal::AbsolutePath),
    ] {
        let (entry, refusal) = World::new().refusal(Tar::default().file(name, "x"));
        assert_eq!((entry.as_str(), refusal), (name, expected));
    }
}

#[test]
fn links_that_leave_the_image_are_not_written_through() {
    let world = World::new();
    let outside = world.directory.path().join("outside");
    let name = outside.to_str().unwrap();
    let tar = Tar::default()
        .link("way", name)
        .file("way/secret", "inside")
        .link("f", name)
        .file("f", "file");
    let rootfs = world.unpack(vec![tar]).unwrap().rootfs;
    let own = rootfs.join(outside.strip_prefix("/").unwrap()).join("secret");
    assert_eq!(fs::read_to_string(own).unwrap(), "inside");
    assert_eq!(fs::read_to_string(rootfs.join("f")).unwrap(), "file");

    let (entry, refusal) = World::new().refusal(Tar::default().link("a/up", "../../outside"));
    assert_eq!(entry, "a/up");
    assert_eq!(refusal, Refusal::LinkOutside { target: "../../outside".to_owned() });
    let (entry, refusal) =
        World::new().refusal(Tar::default().link("x", "y").link("y", "x").file("x/f", ""));
    assert_eq!(entry, "x/f");
    assert!(matches!(refusal, Refusal::ThroughLink { .. }));
    let (_, refusal) = World::new().refusal(Tar::default().file("f", "").file("f/g", ""));
    assert_eq!(refusal, Refusal::NotADirectory { path: "f".to_owned() });
}

#[test]
fn hard_links_stay_inside() {
    let world = World::new();
    let outside = world.directory.path().join("outside/secret");
    for target in ["../../outside/secret", outside.to_str().unwrap(), "absent"] {
        let (entry, refusal) = World::new().refusal(Tar::default().hard_link("h", target));
        assert_eq!(entry, "h");
        assert_eq!(refusal, Refusal::HardLink { target: target.to_owned() });
    }
    let through = Tar::default().link("way", "/outside").hard_link("h", "way/secret");
    assert!(matches!(World::new().refusal(through).1, Refusal::HardLink { .. }));

    let tar = Tar::default()
        .file("f", "x")
        .hard_link("h", "./f")
        .link("dangling", "nowhere")
        .hard_link("l", "dangling");
    let rootfs = world.unpack(vec![tar]).unwrap().rootfs;
    let inode = |name: &str| fs::symlink_metadata(rootfs.join(name)).unwrap().ino();
    assert_eq!(inode("f"), inode("h"));
    assert_eq!(inode("dangling"), inode("l"));
}

#[test]
fn privileges_and_devices_are_dropped() {
    let world = World::new();
    let tar = Tar::default()
        .entry(EntryType::Regular, "su", "", 0o6755, b"x")
        .entry(EntryType::Directory, "locked/", "", 0o2000, b"")
        .file("locked/f", "x")
        .entry(EntryType::Char, "null", "", 0o666, b"")
        .entry(EntryType::Fifo, "fifo", "", 0o666, b"");
    let rootfs = world.unpack(vec![tar]).unwrap().rootfs;
    let mode = |name: &str| fs::metadata(rootfs.join(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode("su"), 0o755);
    assert_eq!(mode("locked"), 0o700);
    assert!(!rootfs.join("null").exists() && !rootfs.join("fifo").exists());
}

#[test]
fn a_kind_replaces_another() {
    let world = World::new();
    let lower = Tar::default().file("a/x", "x").file("b", "x").link("c", "nowhere");
    let upper = Tar::default().file("a", "file").directory("b").directory("c");
    let rootfs = world.unpack(vec![lower, upper]).unwrap().rootfs;
    assert_eq!(fs::read_to_string(rootfs.join("a")).unwrap(), "file");
    assert!(rootfs.join("b").is_dir());
    assert!(fs::symlink_metadata(rootfs.join("c")).unwrap().is_dir());
}

#[test]
fn bombs_are_stopped_by_each_bound() {
    let mut world = World::new();
    world.limits = UnpackLimits { total_bytes: 64 << 10, ..UnpackLimits::default() };
    let big = |name| Tar::default().file(name, &"x".repeat(40 << 10));
    let found = world.layer_error(vec![big("a"), big("b")]);
    assert!(matches!(found, LayerError::TooLarge(Bound::TotalBytes(65536))), "{found:?}");

    let mut world = World::new();
    world.limits = UnpackLimits { entries: 3, ..UnpackLimits::default() };
    let two = |name: &str| Tar::default().file(name, "").file("same", "");
    let found = world.layer_error(vec![two("a"), two("b")]);
    assert!(matches!(found, LayerError::TooLarge(Bound::Entries(3))), "{found:?}");

    let mut world = World::new();
    world.limits =
        UnpackLimits { ratio: 10, ratio_floor_bytes: 64 << 10, ..UnpackLimits::default() };
    let found = world.layer_error(vec![Tar::default().file("zeros", &"\0".repeat(1 << 20))]);
    assert!(matches!(found, LayerError::TooLarge(Bound::Ratio(10))), "{found:?}");
}

#[test]
fn directories_that_paths_imply_count_as_entries() {
    let mut world = World::new();
    world.limits = UnpackLimits { entries: 6, ..UnpackLimits::default() };
    let found = world.layer_error(vec![Tar::default().file("a/b/c/f", "").file("d/e/f", "")]);
    assert!(matches!(found, LayerError::TooLarge(Bound::Entries(6))), "{found:?}");
    assert!(world.unpack(vec![Tar::default().file("a/b/c/f", "").file("a/b/g", "")]).is_ok());
}

#[test]
fn directories_in_one_another_have_an_end() {
    // A tree of a thousand cannot be removed: a file is open for each directory on the way down.
    let deep = |levels: usize| "d/".repeat(levels) + "f";
    let long = |name: &str| {
        Tar::default().entry(EntryType::GNULongName, "././@LongLink", "", 0o644, name.as_bytes())
    };
    let (_, refusal) = World::new().refusal(long(&deep(257)).file("f", ""));
    assert_eq!(refusal, Refusal::TooDeep { limit: 256 });
    // Nor by way of a link to a deep place, under which more is put.
    let mut tar = Tar::default().directory("l0");
    for level in 1..8 {
        let target = format!("l{}/{}", level - 1, "d/".repeat(45));
        tar = tar.link(&format!("l{level}"), &target).file(&format!("l{level}/f"), "");
    }
    assert_eq!(World::new().refusal(tar), ("l6/f".to_owned(), Refusal::TooDeep { limit: 256 }));
    assert!(World::new().unpack(vec![long(&deep(255)).file("f", "")]).is_ok());
}

#[test]
fn a_name_that_no_file_system_takes_is_the_images_fault() {
    let name = "n".repeat(256);
    let tar =
        Tar::default().entry(EntryType::GNULongName, "././@LongLink", "", 0o644, name.as_bytes());
    assert_eq!(World::new().refusal(tar.file("n", "")).1, Refusal::LongName { limit: 255 });

    // Nor one that only a link makes long: a part of it is in no header of its own.
    let part = "p".repeat(256);
    let tar = Tar::default()
        .entry(EntryType::GNULongLink, "././@LongLink", "", 0o644, part.as_bytes())
        .link("l", "p");
    assert_eq!(World::new().refusal(tar.file("l/f", "")).1, Refusal::LongName { limit: 255 });
}

#[test]
fn names_from_an_archive_reach_no_terminal_raw() {
    let (entry, refusal) = World::new().refusal(Tar::default().hard_link("\u{1b}[31m", "\u{7}"));
    assert_eq!(entry, r"\u{1b}[31m");
    assert_eq!(refusal, Refusal::HardLink { target: r"\u{7}".to_owned() });

    // Nor numbers that are none, which the tar reader's own message repeats.
    let mut bytes = Tar::default().file("f", "x").bytes();
    bytes[148..156].copy_from_slice(b"\x1b[31mred");
    let world = World::new();
    let found = fault(world.unpack_layers(&[world.layer(0, PLAIN, &bytes, &bytes)]));
    let LayerError::Damaged(source) = found else { panic!("{found:?}") };
    assert!(source.to_string().contains(r"\u{1b}[31mred"), "{source}");
    assert!(!source.to_string().contains(char::is_control), "{source:?}");
}

#[test]
fn a_size_near_the_end_of_numbers_is_refused() {
    for size in [u64::MAX, u64::MAX - 600, i64::MAX as u64] {
        let mut bytes = Tar::default().directory("d").0;
        let mut header = Header::from_byte_slice(&bytes[..512]).clone();
        header.set_size(size);
        header.set_cksum();
        bytes[..512].copy_from_slice(header.as_bytes());
        bytes.extend(Tar::default().file("f", "x").bytes());
        let world = World::new();
        let found = fault(world.unpack_layers(&[world.layer(0, PLAIN, &bytes, &bytes)]));
        assert!(matches!(found, LayerError::Damaged(_)), "{size}: {found:?}");
    }
}

#[test]
fn names_without_end_do_not_fill_the_memory() {
    let long = "n".repeat(6 << 20);
    let tar =
        Tar::default().entry(EntryType::GNULongName, "././@LongLink", "", 0o644, long.as_bytes());
    let found = World::new().layer_error(vec![tar.file("n", "")]);
    assert!(matches!(found, LayerError::TooLarge(Bound::Header)), "{found:?}");

    let long = "n".repeat(5000);
    let tar =
        Tar::default().entry(EntryType::GNULongName, "././@LongLink", "", 0o644, long.as_bytes());
    assert_eq!(World::new().refusal(tar.file("n", "")).1, Refusal::LongName { limit: 4096 });
}

#[test]
fn truncated_and_damaged_layers_are_the_images_fault() {
    let mut noise = vec![0; 200 << 10];
    fs::File::open("/dev/urandom").unwrap().read_exact(&mut noise).unwrap();
    let content = Tar::default().entry(EntryType::Regular, "f", "", 0o644, &noise).bytes();
    let packed = gzip(&content);
    for (packed, media_type) in [
        (&packed[..packed.len() / 2], GZIP),
        (&packed[..packed.len() - 4], GZIP),
        (&content[..content.len() / 2], PLAIN),
        (&content[..], GZIP),
    ] {
        let world = World::new();
        let error =
            world.unpack_layers(&[world.layer(0, media_type, packed, &content)]).unwrap_err();
        assert!(!error.is_retryable());
        let UnpackError::Layer { source, layer } = error else { panic!("{error:?}") };
        assert!(matches!(source, LayerError::Damaged(_)), "{source:?}");
        assert_eq!(layer, Digest::of(packed));
    }
}

#[test]
fn content_that_is_not_what_the_configuration_promises_is_refused() {
    let world = World::new();
    let content = Tar::default().file("f", "x").bytes();
    let layer = world.layer(0, GZIP, &gzip(&content), b"something else");
    let found = fault(world.unpack_layers(&[layer]));
    assert!(matches!(found, LayerError::DiffId { found, .. } if found == Digest::of(&content)));
}

#[test]
fn unknown_media_types_are_refused() {
    let world = World::new();
    let found = fault(world.unpack_layers(&[world.layer(0, "application/json", b"{}", b"{}")]));
    assert!(matches!(found, LayerError::MediaType(name) if name == "application/json"));
}

#[test]
fn the_root_of_the_store_may_be_reached_through_a_link() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("real")).unwrap();
    symlink("real", directory.path().join("link")).unwrap();
    assert!(ImageStore::open(&directory.path().join("link")).is_ok());
}
