use std::{io, sync::mpsc};

use tokio::{process::Child, runtime::Handle, sync::oneshot};

type Job = Box<dyn FnOnce() + Send>;

/// Starts processes from one thread that lives as long as this process: the kernel's "die with your parent"
/// means the thread that started the child.
#[derive(Clone, Debug)]
pub(super) struct Spawner(mpsc::Sender<Job>);

impl Spawner {
    pub(super) fn start() -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel::<Job>();
        std::thread::Builder::new().name("spawner".to_owned()).spawn(move || {
            while let Ok(job) = receiver.recv() {
                job();
            }
        })?;
        Ok(Self(sender))
    }

    pub(super) async fn spawn(&self, mut command: tokio::process::Command) -> io::Result<Child> {
        let (answer, receiver) = oneshot::channel();
        let runtime = Handle::current();
        let job: Job = Box::new(move || {
            let _entered = runtime.enter();
            // Who asked may be gone; the child then ends with its handle.
            let _ = answer.send(command.spawn());
        });
        let gone = || io::Error::other("the thread that starts processes is gone");
        self.0.send(job).map_err(|_| gone())?;
        receiver.await.map_err(|_| gone())?
    }
}
