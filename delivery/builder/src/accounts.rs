//! The few files of `/etc` that C libraries read before a program's own code runs.

use crate::layer::{Content, Tree};

/// The user and group that images made here run as: distroless's `nonroot`, so that policies know it.
pub(crate) const NONROOT: u64 = 65532;

const PASSWD: &str = "root:x:0:0:root:/root:/sbin/nologin\n\
    nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n\
    nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n";
const GROUP: &str = "root:x:0:\nnobody:x:65534:\nnonroot:x:65532:\n";
/// Files first, then DNS: what glibc does without systemd's services.
const NSSWITCH: &str = "passwd: files\ngroup: files\nhosts: files dns\n";

/// Where every container has something mounted: a read-only root must have the places.
const MOUNT_POINTS: &[&str] = &["dev", "proc", "sys"];

/// Adds accounts, name-service order, mount points, a home and a `/tmp`.
pub(crate) fn add_accounts(tree: &mut Tree) {
    for (path, content) in
        [("etc/passwd", PASSWD), ("etc/group", GROUP), ("etc/nsswitch.conf", NSSWITCH)]
    {
        tree.add(path, 0o644, Content::Bytes(content.as_bytes().to_vec()));
    }
    for path in MOUNT_POINTS {
        tree.add(path, 0o755, Content::Directory);
    }
    tree.add("tmp", 0o1777, Content::Directory);
    tree.add_owned("home/nonroot", 0o755, NONROOT, Content::Directory);
}
