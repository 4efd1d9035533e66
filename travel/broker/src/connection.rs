use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    broker::Broker,
    requests::{self, Caller, RequestError, Standing},
};

/// How many bytes a request may have, and one from a client that has not said who it is.
const LARGEST: usize = 32 * 1024 * 1024;
const LARGEST_OF_STRANGERS: usize = 64 * 1024;
/// How long a client may be silent, and one that has not said who it is.
const SILENCE: Duration = Duration::from_mins(10);
const SILENCE_OF_STRANGERS: Duration = Duration::from_secs(10);
/// How long sending an answer may take.
const SENDING: Duration = Duration::from_secs(30);
/// How much is made room for at once; a request's length is only what a client says.
const ROOM: usize = 64 * 1024;

/// Answers the requests of one client in their order, until it goes, fails, or the broker stops.
pub(crate) async fn serve(broker: &Arc<Broker>, mut stream: TcpStream, peer: SocketAddr) {
    // Answers are small and awaited; failing to say so costs time only.
    let _ = stream.set_nodelay(true);
    let mut caller = Caller {
        host: StrBytes::from_string(format!("/{}", peer.ip())),
        standing: if broker.scram.is_some() { Standing::Stranger } else { Standing::Admitted },
    };
    loop {
        let frame = tokio::select! {
            frame = read(&mut stream, &caller.standing) => frame,
            () = broker.stopping.cancelled() => return,
        };
        let frame = match frame {
            Ok(Some(frame)) => frame,
            Ok(None) => return,
            Err(error) => {
                tracing::debug!(client.address = %peer, error = %error, "a client is gone");
                return;
            }
        };
        let answered = tokio::select! {
            answered = requests::answer(broker, &mut caller, frame) => answered,
            () = broker.stopping.cancelled() => return,
        };
        let (answer, last) = match answered {
            Ok(Some(answer)) => (answer, false),
            Ok(None) => continue,
            Err(RequestError::Refused(answer)) => {
                tracing::warn!(client.address = %peer, "a client failed to authenticate");
                (answer, true)
            }
            Err(error) => {
                tracing::warn!(client.address = %peer, error = %error, "a client is sent away");
                return;
            }
        };
        let sent = tokio::time::timeout(SENDING, stream.write_all(&answer)).await;
        if last || !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
}

/// The next request, or nothing where the client has closed the connection between two.
async fn read(stream: &mut TcpStream, standing: &Standing) -> io::Result<Option<Bytes>> {
    let (largest, silence) = match standing {
        Standing::Admitted => (LARGEST, SILENCE),
        Standing::Stranger | Standing::Proving(_) => (LARGEST_OF_STRANGERS, SILENCE_OF_STRANGERS),
    };
    let reading = async {
        let length = match stream.read_u32().await {
            Ok(length) => length as usize,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        };
        if length > largest {
            let reason = format!("a request of {length} bytes; at most {largest} are taken");
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        let mut frame = BytesMut::with_capacity(length.min(ROOM));
        let mut rest = stream.take(length as u64);
        while frame.len() < length {
            frame.reserve((length - frame.len()).min(ROOM));
            if rest.read_buf(&mut frame).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(Some(frame.freeze()))
    };
    tokio::time::timeout(silence, reading)
        .await
        .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "the client is silent")))
}
