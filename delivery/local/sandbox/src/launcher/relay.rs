use std::{
    ffi::OsString,
    fs,
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    process::ExitCode,
    sync::mpsc,
    time::Duration,
};

use nix::{
    sched::CloneFlags,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    runtime::{Builder, Runtime},
};

use super::{Failure, die_with_parent, namespaces::join, number};
use mercurious_runtime::Tasks;

use crate::listening::listening;

/// Between two looks whether the program listens yet.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// After a connection that could not be taken: out of files, say.
const BREATH: Duration = Duration::from_millis(50);
const BACKLOG: u32 = 1024;
const BUFFER_BYTES: usize = 64 * 1024;

/// `forward:OUTER:INNER… reach:PORT… PARENT`
///
/// Whoever connects to OUTER on this machine's loopback address reaches the program's port INNER; the program
/// reaches PORT of this machine's loopback address under the same number on its own. OUTER is refused until the
/// program listens.
pub(super) fn main(arguments: &[OsString]) -> Result<ExitCode, Failure> {
    let (parent, ways) = arguments.split_last().ok_or_else(Failure::usage)?;
    let parent: i32 = number(parent)?;
    die_with_parent(parent)?;
    relay(ways, parent).inspect_err(|_| {
        // Without it the sandbox would run and be reached by nobody.
        let _ = kill(Pid::from_raw(parent), Signal::SIGKILL);
    })
}

fn relay(ways: &[OsString], parent: i32) -> Result<ExitCode, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new("open the replica's port", error);
    let mut forwards = Vec::new();
    let mut reached = Vec::new();
    for way in ways {
        let way = way.to_str().ok_or_else(Failure::usage)?;
        let port = |text: &str| text.parse::<u16>().map_err(|_| Failure::usage());
        match way.split(':').collect::<Vec<_>>()[..] {
            ["forward", outer, inner] => {
                let socket = TcpSocket::new_v4().map_err(|error| failed(&error))?;
                socket.set_reuseaddr(true).map_err(|error| failed(&error))?;
                // A socket stays on the network where it was made.
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port(outer)?));
                socket.bind(address).map_err(|error| failed(&error))?;
                forwards.push((socket, port(inner)?));
            }
            ["reach", number] => reached.push(port(number)?),
            _ => return Err(Failure::usage()),
        }
    }
    let child = sandboxed_process()?;
    // Alone in the process, or the kernel refuses it.
    join(child, "user", CloneFlags::CLONE_NEWUSER)?;
    die_with_parent(parent)?;
    let (sender, receiver) = mpsc::sync_channel(1);
    std::thread::Builder::new()
        .name("inside".to_owned())
        .spawn(move || {
            if let Err(failure) = inside(child, forwards, &reached, &sender) {
                // The receiver lives as long as the process.
                let _ = sender.send(Err(failure));
            }
        })
        .map_err(|error| failed(&error))?;
    let listeners = receiver.recv().map_err(|error| failed(&error))??;
    runtime()?.block_on(async {
        let tasks = Tasks::new();
        for (listener, port) in listeners {
            let listener = TcpListener::from_std(listener).map_err(|error| failed(&error))?;
            tasks.spawn("reach", serve(listener, port, tasks.clone()));
        }
        // Bubblewrap waits for this.
        let mut output = io::stdout();
        output.write_all(b"1").and_then(|()| output.flush()).map_err(|error| failed(&error))?;
        tasks.stopping().cancelled().await;
        Err(failed(&"a part of the relay ended"))
    })
}

/// What bubblewrap writes is an object with the number of the sandbox' first process.
fn sandboxed_process() -> Result<i32, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new("learn of the sandbox", error);
    let mut text = Vec::new();
    let mut input = io::stdin().lock();
    while !text.ends_with(b"}") {
        let mut byte = [0];
        input.read_exact(&mut byte).map_err(|error| failed(&error))?;
        text.push(byte[0]);
    }
    let told: serde_json::Value = serde_json::from_slice(&text).map_err(|error| failed(&error))?;
    let child = told.get("child-pid").and_then(serde_json::Value::as_i64);
    child
        .and_then(|child| i32::try_from(child).ok())
        .ok_or_else(|| failed(&"bubblewrap named no process"))
}

type Inside = Result<Vec<(std::net::TcpListener, u16)>, Failure>;

/// The thread on the replica's network.
fn inside(
    child: i32,
    forwards: Vec<(TcpSocket, u16)>,
    reached: &[u16],
    sender: &mpsc::SyncSender<Inside>,
) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new("open the replica's network", error);
    join(child, "net", CloneFlags::CLONE_NEWNET)?;
    // As container engines do: the network is the replica's own, and so are the ports below 1024.
    let ports = fs::write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
    if let Err(error) = ports {
        // Root needs no leave.
        let _ = writeln!(io::stderr(), "mercurious: ports below 1024 stay closed: {error}");
    }
    let mut listeners = Vec::new();
    for port in reached {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, *port))
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .map_err(|error| failed(&error))?;
        listeners.push((listener, *port));
    }
    sender.send(Ok(listeners)).map_err(|error| failed(&error))?;
    runtime()?.block_on(async {
        let tasks = Tasks::new();
        for (socket, port) in forwards {
            let inner = tasks.clone();
            tasks.spawn("forward", async move {
                while !listening("thread-self").iter().any(|it| it.port == port) {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                match socket.listen(BACKLOG) {
                    Ok(listener) => serve(listener, port, inner).await,
                    Err(error) => {
                        let _ = writeln!(
                            io::stderr(),
                            "mercurious: port {port} of the replica: {error}"
                        );
                        std::process::exit(126);
                    }
                }
            });
        }
        tasks.stopping().cancelled().await;
        Err(failed(&"a part of the relay ended"))
    })
}

/// Carries each connection to a port of the network that this thread is on.
async fn serve(listener: TcpListener, port: u16, tasks: Tasks) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => tasks.spawn("connection", carry(stream, port)),
            Err(_) => tokio::time::sleep(BREATH).await,
        }
    }
}

async fn carry(mut outer: TcpStream, port: u16) {
    let addresses = [
        SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
    ];
    let inner = match TcpStream::connect(addresses[0]).await {
        Ok(inner) => Ok(inner),
        Err(_) => TcpStream::connect(addresses[1]).await,
    };
    let Ok(mut inner) = inner else {
        // As if nobody listened.
        let _ = outer.set_zero_linger();
        return;
    };
    // Small writes are the program's affair, not ours.
    let _ = (outer.set_nodelay(true), inner.set_nodelay(true));
    // Either side may break off; the other then sees the end.
    let _ = tokio::io::copy_bidirectional_with_sizes(
        &mut outer,
        &mut inner,
        BUFFER_BYTES,
        BUFFER_BYTES,
    )
    .await;
}

fn runtime() -> Result<Runtime, Failure> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new("start the relay", error))
}
