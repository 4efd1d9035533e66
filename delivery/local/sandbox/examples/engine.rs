//! An engine that starts one replica and stays, for tests that kill it: `engine ROOTFS DIRECTORY LAUNCHER [plain]`.

use std::{collections::BTreeMap, path::PathBuf};

use mercurious_runtime::Tasks;
use mercurious_sandbox::run::{
    Identity, Isolation, ReplicaNetwork, ReplicaSpec, Runner, detect_isolation,
};

#[tokio::main]
async fn main() {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let directory = PathBuf::from(&arguments[1]);
    let launcher = vec![arguments[2].clone()];
    let isolation = match arguments.get(3) {
        Some(_) => Isolation::Plain { launcher },
        None => detect_isolation(launcher, &directory.join("replicas")).await.0,
    };
    let spec = ReplicaSpec {
        name: "orphan".to_owned(),
        rootfs: PathBuf::from(&arguments[0]),
        argv: vec!["/bin/sleep".to_owned(), "1000".to_owned()],
        env: BTreeMap::new(),
        workdir: "/".to_owned(),
        files: Vec::new(),
        directories: Vec::new(),
        scratch: Vec::new(),
        read_only: false,
        identity: Identity::default(),
        network: ReplicaNetwork::Shared,
        log: directory.join("log"),
        directory: directory.join("replicas/orphan"),
    };
    let runner = Runner::new(isolation, Tasks::new()).expect("a thread");
    let _replica = runner.start(&spec, |_| {}).await.expect("the replica starts");
    std::future::pending::<()>().await;
}
