//! Images made by buildah, and pushed by it, skopeo and podman.

use std::{fs, path::Path, process::Command};

use tempfile::TempDir;

use crate::machine::Machine;

/// A store of its own for the container engines.
pub(crate) struct Engine {
    directory: TempDir,
}

pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Engine {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn tool(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.args(["--storage-driver", "vfs", "--root"]).arg(self.path().join("store"));
        command.arg("--runroot").arg(self.path().join("run"));
        command
    }

    /// Where skopeo finds an image of this store.
    pub(crate) fn stored(&self, name: &str) -> String {
        let place = self.path().display();
        format!("containers-storage:[vfs@{place}/store+{place}/run]localhost/{name}")
    }

    /// Makes an image from a directory of files.
    pub(crate) fn build(&self, name: &str, format: &str, settings: &[&str], fill: impl Fn(&Path)) {
        let container = run(self.tool("buildah").args(["from", "scratch"]));
        let root = run(self.tool("buildah").args(["mount", &container]));
        fill(Path::new(&root));
        run(self.tool("buildah").args(["umount", &container]));
        run(self.tool("buildah").arg("config").args(settings).arg(&container));
        run(self
            .tool("buildah")
            .args(["commit", "--quiet", "--format", format, &container])
            .arg(format!("localhost/{name}")));
        run(self.tool("buildah").args(["rm", &container]));
    }

    /// Debian's busybox as a web server on `$PORT`, run by a user with a name.
    pub(crate) fn busybox(&self, name: &str, format: &str, words: &str) {
        let script = "echo as $(id -u):$(id -g) in $PWD; echo x > /srv/written; exec httpd -f -p $PORT -h /srv";
        let entrypoint = serde_json::json!(["/bin/sh", "-c", script]).to_string();
        let settings = ["--user", "web", "--workingdir", "/srv", "--entrypoint", &entrypoint];
        self.build(name, format, &settings, |root| {
            shell(root);
            fs::write(root.join("srv/index.html"), words).unwrap();
        });
    }

    /// Debian's nginx with its libraries, on port 80, and its own way to stop.
    pub(crate) fn nginx(&self, name: &str, words: &str) {
        let settings = [
            "--cmd",
            r#"["nginx", "-g", "daemon off;"]"#,
            "--env",
            "PATH=/usr/sbin:/usr/bin:/bin",
            "--stop-signal",
            "SIGQUIT",
            "--port",
            "80",
        ];
        self.build(name, "docker", &settings, |root| {
            let program = "/usr/sbin/nginx";
            let listed = run(Command::new("ldd").arg(program));
            let libraries = listed.split_whitespace().filter(|word| word.starts_with('/'));
            for file in libraries.chain([program]) {
                let target = root.join(&file[1..]);
                fs::create_dir_all(target.parent().unwrap()).unwrap();
                fs::copy(file, target).unwrap();
            }
            shell(root);
            for place in ["etc/nginx", "var/log/nginx", "var/lib/nginx", "run"] {
                fs::create_dir_all(root.join(place)).unwrap();
            }
            let config = "user web web; pid /run/nginx.pid; error_log stderr notice; events {}\n\
                          http { access_log off; server { listen 80; root /srv; } }\n";
            fs::write(root.join("etc/nginx/nginx.conf"), config).unwrap();
            fs::write(root.join("etc/nsswitch.conf"), "passwd: files\ngroup: files\n").unwrap();
            fs::write(root.join("srv/index.html"), words).unwrap();
        });
    }

    pub(crate) fn skopeo(&self, machine: &Machine, name: &str, tag: u32, options: &[&str]) {
        let target = format!("docker://{}:{tag}", machine.repository());
        run(Command::new("skopeo")
            .args(["copy", "--insecure-policy", "--dest-tls-verify=false"])
            .args(options)
            .args([&self.stored(name), &target]));
    }

    pub(crate) fn push(&self, program: &str, machine: &Machine, name: &str, tag: u32) {
        let target = format!("{}:{tag}", machine.repository());
        run(self.tool(program).args([
            "push",
            "--tls-verify=false",
            &format!("localhost/{name}"),
            &target,
        ]));
    }
}

fn shell(root: &Path) {
    for place in ["bin", "etc", "srv", "tmp"] {
        fs::create_dir_all(root.join(place)).unwrap();
    }
    let found = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|it| Path::new(it).exists());
    fs::copy(found.unwrap(), root.join("bin/busybox")).unwrap();
    for name in ["sh", "httpd", "id", "cat"] {
        std::os::unix::fs::symlink("busybox", root.join("bin").join(name)).unwrap();
    }
    let users = "root:x:0:0:root:/root:/bin/sh\nweb:x:4321:4322::/srv:/bin/sh\n";
    fs::write(root.join("etc/passwd"), users).unwrap();
    fs::write(root.join("etc/group"), "root:x:0:\nweb:x:4322:\n").unwrap();
}
