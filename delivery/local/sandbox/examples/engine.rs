//! An engine that starts one replica and stays, for tests that kill it: `engine ROOTFS DIRECTORY [LAUNCHER]`.

use std::{collections::BTreeMap, path::PathBuf};

use mercurious_runtime::Tasks;
use mercurious_sandbox::run::{Isolation, ReplicaSpec, Runner, detect_isolation};

#[tokio::main]
async fn main() {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let isolation = match arguments.get(2) {
        Some(launcher) => Isolation::Plain { launcher: vec![launcher.clone()] },
        None => detect_isolation(Vec::new()).await.0,
    };
    let directory = PathBuf::from(&arguments[1]);
    let spec = ReplicaSpec {
        name: "orphan".to_owned(),
        rootfs: PathBuf::from(&arguments[0]),
        argv: vec!["/bin/sleep".to_owned(), "1000".to_owned()],
        env: BTreeMap::new(),
        workdir: "/".to_owned(),
        files: Vec::new(),
        scratch: Vec::new(),
        log: directory.join("log"),
        directory: directory.join("replicas/orphan"),
    };
    let runner = Runner::new(isolation, Tasks::new()).expect("a thread");
    let _replica = runner.start(&spec, |_| {}).await.expect("the replica starts");
    std::future::pending::<()>().await;
}
