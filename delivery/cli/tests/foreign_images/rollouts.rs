//! Images roll out, serve, are replaced under load, and stop.

use crate::{
    images::{Engine, run},
    machine::{Machine, Wish, installed},
};

const TOOLS: [&str; 4] = ["bwrap", "buildah", "skopeo", "busybox"];
/// Nobody special.
const ORDINARY: u32 = 65534;

fn needs_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        println!("skipped: only root makes images here");
    }
    root
}

/// Docker's manifest with gzip, then OCI's with zstd, then one pushed by buildah: no request fails in between.
fn replaced_under_load(user: Option<u32>) {
    if !installed(&TOOLS) || !needs_root() {
        return;
    }
    let engine = Engine::new();
    engine.busybox("one", "docker", "version one");
    engine.busybox("two", "oci", "version two");
    engine.busybox("three", "oci", "version three");
    let machine = Machine::start(&Wish { container_port: 8080, user, ..Wish::default() });
    engine.skopeo(&machine, "one", 1, &["--format=v2s2"]);
    machine.serves("version one");
    let load = machine.load();
    let zstd = ["--format=oci", "--dest-compress-format=zstd"];
    engine.skopeo(&machine, "two", 2, &zstd);
    machine.serves("version two");
    machine.logs("Succeeded: 2 runs");
    engine.push("buildah", &machine, "three", 3);
    machine.serves("version three");
    let (sent, failed) = load.end();
    assert_eq!(failed, 0, "of {sent} requests\n{}", machine.log());
    assert!(sent > 10);
    let lines = machine.says(&["logs", "web"]);
    assert!(lines.contains("as 4321:4322 in /srv"), "{lines}");
    assert!(machine.stop().contains("stopped by SIGTERM"));
}

#[test]
fn an_image_of_another_tool_is_replaced_with_no_failed_request() {
    replaced_under_load(None);
}

#[test]
fn the_same_for_an_ordinary_user() {
    replaced_under_load(Some(ORDINARY));
}

/// Two replicas and one more while they are replaced, all on port 80.
fn nginx_on_its_own_port(user: Option<u32>) {
    if !installed(&TOOLS) || !installed(&["nginx"]) || !needs_root() {
        return;
    }
    let engine = Engine::new();
    engine.nginx("one", "nginx one");
    engine.nginx("two", "nginx two");
    let machine = Machine::start(&Wish {
        annotations: "mercurious.dev/network: private",
        container_port: 80,
        user,
        ..Wish::default()
    });
    engine.skopeo(&machine, "one", 1, &[]);
    machine.serves("nginx one");
    let load = machine.load();
    engine.skopeo(&machine, "two", 2, &[]);
    machine.serves("nginx two");
    machine.logs("Succeeded: 2 runs");
    let (sent, failed) = load.end();
    assert_eq!(failed, 0, "of {sent} requests\n{}", machine.log());
    machine.stop();
}

#[test]
fn nginx_as_it_is_runs_on_a_private_network() {
    nginx_on_its_own_port(None);
}

#[test]
fn nginx_as_it_is_runs_for_an_ordinary_user() {
    nginx_on_its_own_port(Some(ORDINARY));
}

#[test]
fn a_program_with_a_port_of_its_own_is_told_what_to_do() {
    if !installed(&TOOLS) || !needs_root() {
        return;
    }
    let engine = Engine::new();
    engine.busybox("one", "oci", "one");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let arguments = format!("args: []\ncommand: [httpd, -f, -p, '{port}', -h, /srv]");
    let machine =
        Machine::start(&Wish { container_port: port, container: &arguments, ..Wish::default() });
    engine.skopeo(&machine, "one", 1, &[]);
    machine.explains("mercurious.dev/network: private");
}

#[test]
fn podman_pushes_and_an_index_is_resolved() {
    if !installed(&TOOLS) || !installed(&["podman"]) || !needs_root() {
        return;
    }
    let engine = Engine::new();
    engine.busybox("one", "docker", "from podman");
    engine.busybox("two", "oci", "from an index");
    let machine = Machine::start(&Wish { container_port: 8080, ..Wish::default() });
    engine.push("podman", &machine, "one", 1);
    machine.serves("from podman");
    run(engine.tool("buildah").args(["manifest", "create", "list", "localhost/two"]));
    let target = format!("docker://{}:2", machine.repository());
    run(engine.tool("buildah").args([
        "manifest",
        "push",
        "--all",
        "--tls-verify=false",
        "list",
        &target,
    ]));
    machine.serves("from an index");
}

#[test]
fn what_the_manifest_says_of_users_is_kept() {
    if !installed(&TOOLS) || !needs_root() {
        return;
    }
    let engine = Engine::new();
    engine.busybox("one", "oci", "one");
    let machine = Machine::start(&Wish {
        container_port: 8080,
        container: "securityContext: { runAsNonRoot: true }",
        ..Wish::default()
    });
    engine.skopeo(&machine, "one", 1, &[]);
    machine.explains("not a number; set runAsUser");
    let machine = Machine::start(&Wish {
        container_port: 8080,
        container: "securityContext: { runAsUser: 77, runAsGroup: 88, runAsNonRoot: true }",
        ..Wish::default()
    });
    engine.skopeo(&machine, "one", 1, &[]);
    machine.serves("one");
    let lines = machine.says(&["logs", "web"]);
    assert!(lines.contains("as 77:88 in /srv"), "{lines}");
}

#[test]
fn without_a_sandbox_such_an_image_is_refused_with_the_remedy() {
    if !installed(&TOOLS) || !needs_root() {
        return;
    }
    let engine = Engine::new();
    engine.busybox("one", "oci", "one");
    let machine = Machine::start(&Wish {
        container_port: 8080,
        arguments: &["--no-sandbox"],
        ..Wish::default()
    });
    assert!(machine.log().contains("warning: --no-sandbox"), "{}", machine.log());
    engine.skopeo(&machine, "one", 1, &[]);
    machine.explains("install bubblewrap");
}
