use std::{collections::BTreeSet, fs, path::Path};

/// A TCP socket that takes connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listening {
    pub(crate) port: u16,
    inode: u64,
}

/// All of the network that a process (a number, or `thread-self`) is on.
pub(crate) fn listening(process: &str) -> Vec<Listening> {
    let mut found = Vec::new();
    for table in ["tcp", "tcp6"] {
        // A machine may have no IPv6.
        let text = fs::read_to_string(format!("/proc/{process}/net/{table}")).unwrap_or_default();
        found.extend(text.lines().filter_map(line));
    }
    found
}

/// `proc_net_tcp.txt` of the kernel's documentation: local address second, state fourth, inode tenth.
fn line(text: &str) -> Option<Listening> {
    let fields: Vec<&str> = text.split_whitespace().take(10).collect();
    if *fields.get(3)? != "0A" {
        return None;
    }
    let port = u16::from_str_radix(fields.get(1)?.rsplit_once(':')?.1, 16).ok()?;
    Some(Listening { port, inode: fields.get(9)?.parse().ok()? })
}

/// The ports that a process or one that it started takes connections on.
pub(crate) fn ports_of(process: i32) -> BTreeSet<u16> {
    let sockets = listening(&process.to_string());
    let mut inodes = BTreeSet::new();
    let mut left = vec![process];
    while let Some(process) = left.pop() {
        left.extend(children(process));
        // They come and go while they are looked at.
        for entry in fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten() {
            inodes.extend(fs::read_link(entry.path()).ok().as_deref().and_then(inode));
        }
    }
    sockets.into_iter().filter(|it| inodes.contains(&it.inode)).map(|it| it.port).collect()
}

/// Of `socket:[12345]`.
fn inode(link: &Path) -> Option<u64> {
    link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// The children of a process' main thread, the oldest first; adopted ones come later.
pub(crate) fn children(process: i32) -> Vec<i32> {
    let text = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
    text.unwrap_or_default().split_whitespace().filter_map(|it| it.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sockets_that_listen_count() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0000 100 0 0 10 0
   1: 0100007F:1F91 0100007F:D2A4 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1 0000 20 4 30 10 -1
   1: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4713 1";
        let found: Vec<_> = table.lines().filter_map(line).collect();
        let expected = [Listening { port: 8080, inode: 4711 }, Listening { port: 80, inode: 4713 }];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_port_belongs_to_the_process_that_listens_on_it() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(ports_of(own).contains(&port));
        let mut other =
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        assert!(!ports_of(i32::try_from(other.id()).unwrap()).contains(&port));
        other.kill().unwrap();
        other.wait().unwrap();
        drop(listener);
        assert!(!ports_of(own).contains(&port));
    }
}
