use std::io::{Read, Write};

use mercurious_core::image::Digest;
use sha2::{Digest as _, Sha256};

use crate::support::{Process, answer, field};

const CHUNK: usize = 1024 * 1024;
const CHUNKS: usize = 200;

/// The most memory that a process ever had, in KiB.
fn peak(process: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// A chunk that is like no other.
fn chunk(number: usize) -> Vec<u8> {
    let mut bytes = vec![0; CHUNK];
    for (word, place) in bytes.chunks_exact_mut(8).enumerate() {
        place.copy_from_slice(
            &((number * CHUNK + word) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes(),
        );
    }
    bytes
}

#[test]
fn a_push_and_a_pull_of_200_megabytes_do_not_show_in_memory() {
    let directory = tempfile::tempdir().unwrap();
    let registry = Process::start(directory.path());
    let mut hash = Sha256::new();
    for number in 0..CHUNKS {
        hash.update(chunk(number));
    }
    let digest = Digest::from_sha256(&hash.finalize().into());
    // Everything that is there once is there before: threads, buffers, a first push.
    let small = format!("/v2/app/blobs/uploads/?digest={}", Digest::of(b"small"));
    assert_eq!(registry.ask("POST", &small, "", b"small").0, 201);
    let before = peak(&registry);

    // As podman and skopeo do: one chunked PATCH, then a PUT.
    let (status, head) = registry.ask("POST", "/v2/app/blobs/uploads/", "", b"");
    assert_eq!(status, 202);
    let at = field(&head, "location");
    let mut stream = registry.connect();
    let address = &registry.address;
    let head = format!(
        "PATCH {at} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    for number in 0..CHUNKS {
        write!(stream, "{CHUNK:x}\r\n").unwrap();
        stream.write_all(&chunk(number)).unwrap();
        stream.write_all(b"\r\n").unwrap();
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    assert_eq!(answer(&mut stream).0, 202);
    assert_eq!(registry.ask("PUT", &format!("{at}?digest={digest}"), "", b"").0, 201);
    let pushed = peak(&registry);

    let mut stream = registry.connect();
    let head = format!(
        "GET /v2/app/blobs/{digest} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut buffer = vec![0; CHUNK];
    let mut total = 0;
    loop {
        match stream.read(&mut buffer).unwrap() {
            0 => break,
            count => total += count,
        }
    }
    assert!(total > CHUNK * CHUNKS);
    let pulled = peak(&registry);
    println!(
        "peak memory: {before} KiB before, {pushed} KiB after the push, {pulled} KiB after the pull"
    );
    assert!(pulled - before < 16 * 1024, "{before} KiB grew to {pushed} and {pulled} KiB");
}
