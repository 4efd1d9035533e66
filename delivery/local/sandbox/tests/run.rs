//! Processes from images: a shell of this machine, copied with its libraries, is the image.

#![expect(clippy::print_stdout, reason = "a skipped test says why")]
#![expect(clippy::unwrap_used, reason = "tests, and what only they call")]

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use mercurious_runtime::Tasks;
use mercurious_sandbox::run::{
    Exit, Identity, Isolation, MountedDirectory, MountedFile, Replica, ReplicaNetwork, ReplicaSpec,
    Roots, Runner, StartError, detect_isolation, reap_orphans,
};
use nix::sys::signal::Signal;
use tempfile::TempDir;

/// Nothing here takes as long, but on a busy machine.
const LONG: Duration = Duration::from_secs(30);

struct World {
    directory: TempDir,
    runner: Runner,
}

/// An example of this crate, which Cargo builds with the tests.
fn example(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let built = own.parent().unwrap().parent().unwrap().join("examples").join(name);
    assert!(
        built.exists(),
        "`cargo test --test run` alone does not build it: run `cargo build --examples` first"
    );
    built
}

/// A root file system with a shell and a few programs.
fn image(rootfs: &Path) {
    for place in ["bin", "etc", "proc", "dev", "tmp", "run", "var/tmp"] {
        fs::create_dir_all(rootfs.join(place)).unwrap();
    }
    std::os::unix::fs::symlink("/run", rootfs.join("var/run")).unwrap();
    for program in ["/bin/sh", "/bin/sleep", "/bin/cat", "/bin/rm", "/bin/mkdir"] {
        fs::copy(program, rootfs.join(&program[1..])).unwrap();
        let listed = Command::new("ldd").arg(program).output().unwrap();
        for word in String::from_utf8(listed.stdout).unwrap().split_whitespace() {
            if let Some(inside) = word.strip_prefix('/') {
                let target = rootfs.join(inside);
                fs::create_dir_all(target.parent().unwrap()).unwrap();
                fs::copy(word, target).unwrap();
            }
        }
    }
}

impl World {
    fn with(isolation: Isolation) -> Self {
        let directory = tempfile::tempdir().unwrap();
        image(&directory.path().join("rootfs"));
        Self { directory, runner: Runner::new(isolation, Tasks::new()).unwrap() }
    }

    /// `None` where this machine has no working bwrap.
    async fn sandboxed() -> Option<Self> {
        let place = tempfile::tempdir().unwrap();
        match detect_isolation(vec![example("launcher").into()], place.path()).await {
            (isolation @ Isolation::Bubblewrap { .. }, _) => Some(Self::with(isolation)),
            (_, warning) => {
                println!("skipped: {}", warning.unwrap_or_default());
                None
            }
        }
    }

    fn plain() -> Self {
        Self::with(Isolation::Plain { launcher: vec![example("launcher").into()] })
    }

    fn spec(&self, argv: &[&str]) -> ReplicaSpec {
        ReplicaSpec {
            name: "web-1".to_owned(),
            rootfs: self.directory.path().join("rootfs"),
            argv: argv.iter().map(|&word| word.to_owned()).collect(),
            env: BTreeMap::from([("PATH".to_owned(), "/bin".to_owned())]),
            workdir: "/".to_owned(),
            files: Vec::new(),
            directories: Vec::new(),
            scratch: Vec::new(),
            read_only: false,
            identity: Identity::default(),
            network: ReplicaNetwork::Shared,
            directory: self.directory.path().join("replicas/web-1"),
            log: self.directory.path().join("web.log"),
        }
    }

    fn script(&self, text: &str) -> ReplicaSpec {
        self.spec(&["sh", "-c", text])
    }

    async fn start(&self, spec: &ReplicaSpec) -> Replica {
        self.runner.start(spec, |_| {}).await.unwrap()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("web.log")).unwrap()
    }
}

async fn end(replica: &Replica) -> Exit {
    let mut exited = replica.exited();
    let exit = tokio::time::timeout(LONG, exited.wait_for(Option::is_some)).await;
    exit.expect("it ends").unwrap().unwrap()
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < LONG, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn code(code: i32) -> Exit {
    Exit { code: Some(code), signal: None }
}

const POLITE: &str = "trap 'echo bye; exit 7' TERM; echo ready; sleep 1000 & wait";

async fn stops_politely(world: World) {
    let replica = world.start(&world.script(POLITE)).await;
    until("ready", || replica.tail().contains(&"ready".to_owned())).await;
    assert_eq!(replica.stop(Signal::SIGTERM, LONG).await, code(7));
    assert_eq!(world.log(), "ready\nbye\n");
    assert!(!world.directory.path().join("replicas/web-1").exists(), "its directory stays");
    // Once more is harmless.
    assert_eq!(replica.stop(Signal::SIGTERM, LONG).await, code(7));
}

#[tokio::test]
async fn a_sandboxed_program_hears_sigterm_and_its_code_comes_back() {
    if let Some(world) = World::sandboxed().await {
        stops_politely(world).await;
    }
}

#[tokio::test]
async fn a_plain_program_hears_sigterm_and_its_code_comes_back() {
    stops_politely(World::plain()).await;
}

#[tokio::test]
async fn a_signal_right_after_the_start_is_not_lost() {
    let Some(world) = World::sandboxed().await else { return };
    let replica = world.start(&world.spec(&["sleep", "1000"])).await;
    let exit =
        tokio::time::timeout(LONG, replica.stop(Signal::SIGTERM, LONG * 2)).await.expect("heard");
    assert_eq!(exit.to_string(), "ended by SIGTERM");
}

#[tokio::test]
async fn who_ignores_sigterm_is_ended_with_all_it_started() {
    for world in [World::sandboxed().await, Some(World::plain())].into_iter().flatten() {
        let text = "trap '' TERM; sleep 1234 & echo ready; while :; do sleep 1000; done";
        let replica = world.start(&world.script(text)).await;
        until("ready", || replica.tail().contains(&"ready".to_owned())).await;
        let mark = world.directory.path().to_owned();
        let exit = replica.stop(Signal::SIGTERM, Duration::from_millis(50)).await;
        assert_eq!(exit, Exit { code: None, signal: Some(9) });
        assert_eq!(exit.to_string(), "ended by SIGKILL");
        until("all ended", || !anything_from(&mark)).await;
    }
}

/// Whether the image's `sleep` has been started, in a sandbox or not.
fn runs_from(rootfs: &Path) -> bool {
    let wanted =
        std::os::unix::fs::MetadataExt::ino(&fs::metadata(rootfs.join("bin/sleep")).unwrap());
    let loader = rootfs.to_str().unwrap();
    fs::read_dir("/proc").unwrap().filter_map(Result::ok).any(|entry| {
        let maps = fs::read_to_string(entry.path().join("maps")).unwrap_or_default();
        maps.lines().any(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            fields.get(4) == Some(&wanted.to_string().as_str())
                && fields
                    .get(5)
                    .is_some_and(|path| path.starts_with(loader) || *path == "/bin/sleep")
        })
    })
}

/// Whether a living process runs a file below this directory.
fn anything_from(directory: &Path) -> bool {
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    processes.map(|entry| entry.path()).any(|process| {
        let mapped = fs::read_to_string(process.join("maps")).unwrap_or_default();
        let command = fs::read_to_string(process.join("cmdline")).unwrap_or_default();
        let name = directory.to_str().unwrap();
        mapped.contains(name) || command.contains(name)
    })
}

#[tokio::test]
async fn a_crash_tells_its_code_and_last_words() {
    let Some(world) = World::sandboxed().await else { return };
    let text = "echo out; echo problem >&2; printf unfinished; exit 3";
    let replica = world.start(&world.script(text)).await;
    let exit = end(&replica).await;
    assert_eq!((exit, exit.to_string().as_str()), (code(3), "exit code 3"));
    let mut tail = replica.tail();
    tail.sort();
    assert_eq!(tail, ["out", "problem", "unfinished"]);
    assert_eq!(world.log().lines().count(), 3);
}

#[tokio::test]
async fn many_lines_reach_the_file_and_the_newest_the_tail() {
    let Some(world) = World::sandboxed().await else { return };
    let text = "i=0; while [ $i -lt 1000 ]; do echo line $i; i=$((i+1)); done";
    let replica = world.start(&world.script(text)).await;
    assert_eq!(end(&replica).await, code(0));
    assert_eq!(world.log().lines().count(), 1000);
    let tail = replica.tail();
    assert_eq!((tail.len(), tail[0].as_str(), tail[199].as_str()), (200, "line 800", "line 999"));
}

#[tokio::test]
async fn a_log_is_turned_over() {
    let Some(world) = World::sandboxed().await else { return };
    fs::write(world.directory.path().join("web.log"), vec![b'x'; (10 << 20) + 1]).unwrap();
    let replica = world.start(&world.script("echo new")).await;
    end(&replica).await;
    assert_eq!(world.log(), "new\n");
    assert!(fs::metadata(world.directory.path().join("web.log.1")).unwrap().len() > 10 << 20);
}

#[tokio::test]
async fn secrets_reach_the_program_and_no_command_line() {
    let Some(world) = World::sandboxed().await else { return };
    let (variable, file) = ("s3cr3t-in-the-environment", "s3cr3t-in-a-file");
    let mut spec = world
        .script("cat /etc/conf/token; echo; echo $TOKEN; cat /var/run/token; echo; sleep 1000");
    spec.env.insert("TOKEN".to_owned(), variable.to_owned());
    for path in ["/etc/conf/token", "/var/run/token"] {
        spec.files.push(MountedFile { path: path.to_owned(), contents: file.into(), mode: 0o600 });
    }
    let replica = world.start(&spec).await;
    until("all read", || replica.tail().len() >= 3).await;
    assert_eq!(replica.tail(), [file, variable, file]);
    let mode = fs::metadata(&spec.directory).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o700);
    for entry in fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        assert!(!line.contains(variable) && !line.contains(file), "seen in {line}");
    }
    replica.stop(Signal::SIGKILL, Duration::ZERO).await;
}

#[tokio::test]
async fn a_sandbox_holds_the_image_alone() {
    let Some(world) = World::sandboxed().await else { return };
    let outside = world.directory.path().join("outside");
    fs::write(&outside, "").unwrap();
    let text = format!(
        "test -e {} && echo escaped; echo x > /cache/deep/new && echo $$ && echo $PWD",
        outside.display()
    );
    let mut spec = world.script(&text);
    spec.scratch.push("/cache/deep".to_owned());
    spec.workdir = "/srv/app".to_owned();
    let replica = world.start(&spec).await;
    assert_eq!(end(&replica).await, code(0));
    assert_eq!(replica.tail(), ["2", "/srv/app"]);
}

async fn writes_are_its_own_and_gone(world: World) {
    let text = "test -e /etc/new && echo seen; test -e /etc/old || echo missed; \
                rm /etc/old; echo x > /etc/new; mkdir -m 0 /etc/closed; echo wrote";
    fs::write(world.directory.path().join("rootfs/etc/old"), "").unwrap();
    for _ in 0..2 {
        let replica = world.start(&world.script(text)).await;
        assert_eq!(end(&replica).await, code(0), "{:?}", replica.tail());
        assert_eq!(replica.tail(), ["wrote"]);
        assert!(!world.directory.path().join("replicas/web-1").exists(), "its directory stays");
    }
    assert!(world.directory.path().join("rootfs/etc/old").exists());
    assert!(!world.directory.path().join("rootfs/etc/new").exists());
}

#[tokio::test]
async fn a_mounted_directory_outlives_its_replicas_and_may_be_for_reading_only() {
    let Some(world) = World::sandboxed().await else { return };
    let source = world.directory.path().join("volume");
    fs::create_dir(&source).unwrap();
    let mounted = |read_only: bool, text: &str| ReplicaSpec {
        directories: vec![MountedDirectory {
            path: "/var/lib/data".to_owned(),
            source: source.clone(),
            read_only,
        }],
        ..world.script(text)
    };
    let write = "echo kept > /var/lib/data/file";
    assert_eq!(end(&world.start(&mounted(false, write)).await).await, code(0));
    assert_eq!(fs::read_to_string(source.join("file")).unwrap(), "kept\n");
    let read = "read line < /var/lib/data/file && [ \"$line\" = kept ]";
    assert_eq!(end(&world.start(&mounted(true, read)).await).await, code(0));
    assert_ne!(end(&world.start(&mounted(true, write)).await).await, code(0));
}

#[tokio::test]
async fn each_start_writes_to_a_root_of_its_own_which_is_gone_afterwards() {
    if let Some(world) = World::sandboxed().await {
        writes_are_its_own_and_gone(world).await;
    }
}

#[tokio::test]
async fn a_machine_without_overlays_copies_the_image() {
    let Some(world) = World::sandboxed().await else { return };
    let Isolation::Bubblewrap { program, launcher, .. } = world.runner.isolation().clone() else {
        return;
    };
    let copying = Isolation::Bubblewrap { program, launcher, roots: Roots::Copy };
    writes_are_its_own_and_gone(World::with(copying)).await;
}

#[tokio::test]
async fn a_read_only_root_is_written_by_nobody_but_its_empty_directories_are() {
    let Some(world) = World::sandboxed().await else { return };
    let text =
        "(echo x > /etc/new) 2>/dev/null && echo written; echo x > /cache/new && echo cached";
    let mut spec = world.script(text);
    spec.scratch.push("/cache".to_owned());
    spec.read_only = true;
    let replica = world.start(&spec).await;
    end(&replica).await;
    assert_eq!(replica.tail(), ["cached"]);
}

#[tokio::test]
async fn a_program_is_the_user_that_was_asked_for_and_owns_its_image() {
    let Some(world) = World::sandboxed().await else { return };
    let text = "while read name ids; do case $name in Uid:|Gid:|CapEff:) echo $name $ids;; esac; done \
                < /proc/self/status; echo x > /etc/new && echo wrote";
    let mut spec = world.script(text);
    spec.identity = Identity { user: 1234, group: 77, asked: true, home: None };
    let replica = world.start(&spec).await;
    end(&replica).await;
    let expected =
        ["Uid: 1234 1234 1234 1234", "Gid: 77 77 77 77", "CapEff: 0000000000000000", "wrote"];
    assert_eq!(replica.tail(), expected);
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Asks a server over HTTP and says what it answered, if it did.
fn get(port: u16) -> Option<String> {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(LONG)).ok()?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

#[tokio::test]
async fn two_replicas_listen_on_the_same_port_of_their_private_networks() {
    let Some(world) = World::sandboxed().await else { return };
    let Some(busybox) = busybox() else { return };
    fs::copy(busybox, world.directory.path().join("rootfs/bin/busybox")).unwrap();
    let reached = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let reached_port = reached.local_addr().unwrap().port();
    let mut replicas = Vec::new();
    for number in 1..=2 {
        let outer = free_port();
        let mut spec = world.script(&format!(
            "echo replica {number} > /index.html; exec busybox httpd -f -p 80 -h /"
        ));
        spec.directory = world.directory.path().join(format!("replicas/web-{number}"));
        spec.network =
            ReplicaNetwork::Private { forwards: vec![(outer, 80)], reached: vec![reached_port] };
        let replica = world.start(&spec).await;
        replicas.push((number, outer, spec, replica));
    }
    for (number, outer, spec, replica) in &replicas {
        until("it serves", || get(*outer).is_some()).await;
        let answer = get(*outer).unwrap();
        assert!(answer.ends_with(&format!("replica {number}\n")), "{answer}");
        assert!(replica.ports().contains(&80), "{:?}", replica.ports());
        // Commands beside it are on its network too, and reach what it may reach.
        let argv = ["sh", "-c", "busybox wget -q -O /dev/null http://127.0.0.1:80/"];
        let argv = argv.map(str::to_owned);
        assert_eq!(world.runner.execute(replica, spec, &argv, LONG).await, Ok(()));
        let text = format!("echo hello | busybox nc 127.0.0.1 {reached_port}");
        let argv = ["sh".to_owned(), "-c".to_owned(), text];
        let (asked, heard) = tokio::join!(
            world.runner.execute(replica, spec, &argv, LONG),
            tokio::task::spawn_blocking({
                let reached = reached.try_clone().unwrap();
                move || {
                    let mut text = String::new();
                    let mut stream = reached.accept().unwrap().0;
                    let mut line = [0; 6];
                    std::io::Read::read_exact(&mut stream, &mut line).unwrap();
                    text.push_str(std::str::from_utf8(&line).unwrap());
                    text
                }
            })
        );
        assert_eq!(heard.unwrap(), "hello\n");
        assert_eq!(asked, Ok(()));
    }
    for (_, outer, _, replica) in &replicas {
        replica.stop(Signal::SIGTERM, LONG).await;
        until("its port is free", || std::net::TcpListener::bind(("127.0.0.1", *outer)).is_ok())
            .await;
    }
    let mark = world.directory.path().to_owned();
    until("all ended", || !anything_from(&mark)).await;
}

/// A shell that serves HTTP: Debian's package busybox-static.
fn busybox() -> Option<&'static str> {
    let found = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|it| Path::new(it).exists());
    if found.is_none() {
        println!("skipped: busybox is not installed (Debian's package: busybox-static)");
    }
    found
}

#[tokio::test]
async fn a_private_network_needs_a_sandbox() {
    let world = World::plain();
    let mut spec = world.script("true");
    spec.network = ReplicaNetwork::Private { forwards: Vec::new(), reached: Vec::new() };
    assert!(matches!(world.runner.start(&spec, |_| {}).await, Err(StartError::NoSandbox)));
}

#[tokio::test]
async fn commands_run_beside_a_replica_until_their_deadline() {
    let Some(world) = World::sandboxed().await else { return };
    let mut spec = world.spec(&["sleep", "1000"]);
    spec.files.push(MountedFile {
        path: "/etc/probe".to_owned(),
        contents: b"x".to_vec(),
        mode: 0o644,
    });
    let replica = world.start(&spec).await;
    until("it runs", || runs_from(&spec.rootfs)).await;
    let run = async |text: &str, deadline| {
        let argv = ["sh", "-c", text].map(str::to_owned);
        world.runner.execute(&replica, &spec, &argv, deadline).await
    };
    assert_eq!(run("test -s /etc/probe", LONG).await, Ok(()));
    assert_eq!(run("echo x > /etc/left", LONG).await, Ok(()));
    assert_eq!(run("test -e /etc/left", LONG).await, Ok(()), "one root for both");
    assert_eq!(run("exit 4", LONG).await, Err("exit code 4".to_owned()));
    let late = run("sleep 77777", Duration::from_millis(300)).await;
    assert_eq!(late, Err("no end within 300ms".to_owned()));
    let sleeping = || {
        let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        processes
            .map(|it| fs::read(it.path().join("cmdline")))
            .any(|line| line.is_ok_and(|line| String::from_utf8_lossy(&line).contains("77777")))
    };
    until("the command ended", || !sleeping()).await;
    replica.stop(Signal::SIGKILL, Duration::ZERO).await;
}

#[tokio::test]
async fn what_cannot_be_run_is_said_before_anything_starts() {
    let world = World::with(Isolation::Bubblewrap {
        program: "/usr/bin/bwrap".into(),
        launcher: vec![example("launcher").into()],
        roots: Roots::Overlay,
    });
    let bin = world.directory.path().join("rootfs/bin");
    fs::write(bin.join("data"), "text").unwrap();
    fs::write(bin.join("odd"), "text").unwrap();
    fs::set_permissions(bin.join("data"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(bin.join("odd"), fs::Permissions::from_mode(0o755)).unwrap();
    let refused =
        async |argv: &[&str]| world.runner.start(&world.spec(argv), |_| {}).await.unwrap_err();
    assert!(matches!(refused(&[]).await, StartError::NoProgram));
    assert_eq!(refused(&["/app"]).await.to_string(), "`/app` is not in the image");
    assert_eq!(refused(&["app"]).await.to_string(), "`app` is not in the image");
    assert_eq!(refused(&["data"]).await.to_string(), "`data` in the image is not executable");
    assert!(matches!(refused(&["/bin/odd"]).await, StartError::Format { .. }));
    let mut spec = world.spec(&["sh"]);
    spec.files.push(MountedFile {
        path: "/etc/../../x".to_owned(),
        contents: Vec::new(),
        mode: 0o644,
    });
    assert!(matches!(world.runner.start(&spec, |_| {}).await, Err(StartError::Path { .. })));
}

/// The field of `/proc/PID/stat` that tells two processes of one number apart; nothing for the dead.
fn started(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    (!matches!(fields[0], "Z" | "X")).then(|| fields[19].to_owned())
}

async fn dies_with_its_engine(plain: bool) {
    let directory = tempfile::tempdir().unwrap();
    let rootfs = directory.path().join("rootfs");
    image(&rootfs);
    let mut engine = Command::new(example("engine"))
        .args([rootfs.as_path(), directory.path()])
        .arg(example("launcher"))
        .args(plain.then_some("plain"))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    until("started", || {
        let written = fs::read_to_string(directory.path().join("replicas/orphan/process"));
        // In a sandbox the program maps its file from there; bubblewrap itself only names it.
        written.is_ok_and(|text| text.ends_with('\n')) && runs_from(&rootfs)
    })
    .await;
    engine.kill().unwrap();
    engine.wait().unwrap();
    until("all ended", || !anything_from(directory.path()) && !runs_from(&rootfs)).await;
    // The engine did not live to remove it.
    assert_eq!(reap_orphans(&directory.path().join("replicas")).unwrap(), 0);
    assert!(!directory.path().join("replicas/orphan").exists());
}

#[tokio::test]
async fn a_sandboxed_program_dies_with_a_killed_engine() {
    if World::sandboxed().await.is_some() {
        dies_with_its_engine(false).await;
    }
}

#[tokio::test]
async fn a_plain_program_dies_with_a_killed_engine() {
    dies_with_its_engine(true).await;
}

#[tokio::test]
async fn left_overs_are_ended_and_others_with_their_number_are_not() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(reap_orphans(&directory.path().join("absent")).unwrap(), 0);
    let sleep = || Command::new("sleep").arg("1000").spawn().unwrap();
    let (mut ours, mut other) = (sleep(), sleep());
    for (name, child, since) in
        [("ours", &ours, started(ours.id())), ("other", &other, Some("1".to_owned()))]
    {
        let place = directory.path().join(name);
        fs::create_dir(&place).unwrap();
        fs::write(place.join("process"), format!("{} {}\n", child.id(), since.unwrap())).unwrap();
    }
    let name = format!("bwrap:{}/half-made", directory.path().display());
    let mut half_made = std::os::unix::process::CommandExt::arg0(&mut Command::new("sleep"), name)
        .arg("1000")
        .spawn()
        .unwrap();
    // A process is there a moment before its command line is.
    let line = format!("/proc/{}/cmdline", half_made.id());
    until("named", || fs::read(&line).is_ok_and(|text| text.starts_with(b"bwrap:"))).await;
    assert_eq!(reap_orphans(directory.path()).unwrap(), 2);
    assert!(!ours.wait().unwrap().success());
    assert!(!half_made.wait().unwrap().success());
    assert!(started(other.id()).is_some(), "a stranger was ended");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    other.kill().unwrap();
    other.wait().unwrap();
}

#[tokio::test]
async fn an_image_cannot_steer_the_loader_of_the_sandbox_itself() {
    let Some(world) = World::sandboxed().await else { return };
    let mut spec = world.spec(&["/bin/sh", "-c", "sleep 60"]);
    spec.env.insert("LD_PRELOAD".to_owned(), "/nowhere/evil.so".to_owned());
    let replica = world.start(&spec).await;
    let environment = fs::read(format!("/proc/{}/environ", replica.pid())).unwrap();
    let environment = String::from_utf8_lossy(&environment);
    assert!(!environment.contains("LD_PRELOAD"), "{environment}");
    replica.stop(Signal::SIGKILL, Duration::ZERO).await;
}
