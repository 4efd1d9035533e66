//! A client that speaks the protocol by hand, and the broker as a process.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use kafka_protocol::{
    messages::{ApiKey, RequestHeader, ResponseHeader},
    protocol::{Decodable, Encodable, HeaderVersion, StrBytes},
};

/// A broker; dropping it kills it.
pub(crate) struct Process {
    child: Child,
    pub(crate) port: u16,
    pub(crate) admin: u16,
}

impl Process {
    pub(crate) fn start(data: &Path, variables: &[(&str, &str)]) -> Self {
        Self::try_start(data, variables).unwrap_or_else(|said| panic!("it ended: {said}"))
    }

    /// The broker once it serves, or what it said before it ended.
    pub(crate) fn try_start(data: &Path, variables: &[(&str, &str)]) -> Result<Self, String> {
        let log = tempfile::NamedTempFile::new().unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_broker"))
            .env("PORT", "0")
            .env("BROKER_ADMIN_PORT", "0")
            .env("BROKER_DATA", data)
            .env("BROKER_TOPICS", "work:3")
            .env("BROKER_LOG_JSON", "true")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stderr(log.reopen().unwrap())
            .spawn()
            .unwrap();
        let mut process = Self { child, port: 0, admin: 0 };
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            let ended = process.child.try_wait().unwrap().is_some();
            let said = std::fs::read_to_string(log.path()).unwrap();
            if let Some(line) = said.lines().find(|line| line.contains("\"serving\"")) {
                process.port = port(line, "address");
                process.admin = port(line, "admin.address");
                return Ok(process);
            }
            if ended {
                return Err(said);
            }
            assert!(Instant::now() < deadline, "it neither serves nor ends: {said}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn connect(&self) -> Client {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        Client { stream, correlation: 0 }
    }

    /// What the admin port answers.
    pub(crate) fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.admin)).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: broker\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn port(line: &str, field: &str) -> u16 {
    let (_, rest) = line.split_once(&format!("\"{field}\":\"127.0.0.1:")).unwrap();
    rest.split('"').next().unwrap().parse().unwrap()
}

pub(crate) struct Client {
    stream: TcpStream,
    correlation: i32,
}

impl Client {
    /// Asks and waits for the answer; nothing where the broker closes the connection.
    pub(crate) fn try_ask<Q, A>(&mut self, key: ApiKey, version: i16, request: &Q) -> Option<A>
    where
        Q: Encodable + HeaderVersion,
        A: Decodable + HeaderVersion,
    {
        self.correlation += 1;
        let header = RequestHeader::default()
            .with_request_api_key(key as i16)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation)
            .with_client_id(Some(StrBytes::from_static_str("by-hand")));
        let mut bytes = BytesMut::zeroed(4);
        header.encode(&mut bytes, Q::header_version(version)).unwrap();
        request.encode(&mut bytes, version).unwrap();
        let length = bytes.len() as u32 - 4;
        bytes[..4].copy_from_slice(&length.to_be_bytes());
        self.send(&bytes);
        let mut answer = self.receive()?;
        let header = ResponseHeader::decode(&mut answer, A::header_version(version)).unwrap();
        assert_eq!(header.correlation_id, self.correlation);
        let decoded = A::decode(&mut answer, version).unwrap();
        assert!(!answer.has_remaining());
        Some(decoded)
    }

    pub(crate) fn ask<Q, A>(&mut self, key: ApiKey, version: i16, request: &Q) -> A
    where
        Q: Encodable + HeaderVersion,
        A: Decodable + HeaderVersion,
    {
        self.try_ask(key, version, request).expect("the broker closed the connection")
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    pub(crate) fn receive(&mut self) -> Option<Bytes> {
        let mut length = [0; 4];
        match self.stream.read_exact(&mut length) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("no answer"),
            Err(_) => return None,
        }
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut answer).unwrap();
        Some(answer.into())
    }
}

/// A batch of one record with this content, from an idempotent producer where `producer` is not negative.
pub(crate) fn batch(producer: i64, sequence: i32, content: &[u8]) -> Bytes {
    let mut checked = BytesMut::new();
    checked.put_i16(0);
    checked.put_i32(0);
    checked.put_i64(1);
    checked.put_i64(1);
    checked.put_i64(producer);
    checked.put_i16(if producer < 0 { -1 } else { 0 });
    checked.put_i32(sequence);
    checked.put_i32(1);
    checked.put_slice(content);
    let mut bytes = BytesMut::new();
    bytes.put_i64(0);
    bytes.put_i32(checked.len() as i32 + 9);
    bytes.put_i32(-1);
    bytes.put_i8(2);
    bytes.put_u32(crc32c::crc32c(&checked));
    bytes.put_slice(&checked);
    bytes.freeze()
}
