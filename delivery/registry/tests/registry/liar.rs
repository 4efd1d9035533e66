//! A server over raw TCP that says whatever a test wants, and remembers what it was asked.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
};

use rustls::{ServerConfig, ServerConnection};

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    manner: Manner,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Honest,
    /// The connection ends after so many bytes of the body.
    Cut(usize),
    /// Nothing more comes after so many bytes of the body, and the connection stays open.
    Stall(usize),
    /// Not even a status comes.
    Silent,
}

impl Told {
    pub(crate) fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), manner: Manner::Honest }
    }

    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200).body(body)
    }

    #[expect(clippy::needless_pass_by_value, reason = "tests read better")]
    pub(crate) fn json(body: impl ToString) -> Self {
        Self::ok(body.to_string()).header("content-type", "application/json")
    }

    pub(crate) fn silent() -> Self {
        Self { manner: Manner::Silent, ..Self::new(200) }
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    #[expect(clippy::needless_pass_by_value, reason = "tests read better")]
    pub(crate) fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    pub(crate) fn cut_after(mut self, bytes: usize) -> Self {
        self.manner = Manner::Cut(bytes);
        self
    }

    pub(crate) fn stall_after(mut self, bytes: usize) -> Self {
        self.manner = Manner::Stall(bytes);
        self
    }
}

type Script = dyn Fn(&Asked) -> Told + Send + Sync;

/// Threads end with the test's process; each connection serves one request.
#[derive(Clone)]
pub(crate) struct Liar {
    pub(crate) host: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Liar {
    pub(crate) fn new(script: impl Fn(&Asked) -> Told + Send + Sync + 'static) -> Self {
        Self::start(script, None)
    }

    /// Speaks TLS, HTTP/1.1 only.
    pub(crate) fn with_tls(
        script: impl Fn(&Asked) -> Told + Send + Sync + 'static,
        tls: Arc<ServerConfig>,
    ) -> Self {
        Self::start(script, Some(tls))
    }

    fn start(
        script: impl Fn(&Asked) -> Told + Send + Sync + 'static,
        tls: Option<Arc<ServerConfig>>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let script: Arc<Script> = Arc::new(script);
        let record = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, script, record) = (stream.unwrap(), script.clone(), record.clone());
                let tls = tls.clone();
                std::thread::spawn(move || match tls {
                    None => serve(stream, &script, &record),
                    Some(tls) => {
                        let mut connection = ServerConnection::new(tls).unwrap();
                        let mut stream = stream;
                        let encrypted = rustls::Stream::new(&mut connection, &mut stream);
                        serve(encrypted, &script, &record);
                        connection.send_close_notify();
                        let _ = connection.write_tls(&mut stream);
                    }
                });
            }
        });
        Self { host, asked }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// `HEAD /v2/…`, in order.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().iter().map(Asked::line).collect()
    }

    pub(crate) fn forget(&self) {
        self.asked.lock().unwrap().clear();
    }
}

fn serve(mut stream: impl Read + Write, script: &Arc<Script>, record: &Mutex<Vec<Asked>>) {
    let Some(asked) = read(&mut stream) else {
        // As web servers do with what is not HTTP.
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n");
        return;
    };
    let told = script(&asked);
    record.lock().unwrap().push(asked.clone());
    if told.manner == Manner::Silent {
        hold(&mut stream);
        return;
    }
    let mut head = format!("HTTP/1.1 {} Told\r\nconnection: close\r\n", told.status);
    for (name, value) in &told.headers {
        head.extend([name.as_str(), ": ", value.as_str(), "\r\n"]);
    }
    if !told.headers.iter().any(|(name, _)| name == "content-length" || name == "transfer-encoding")
    {
        head.extend(["content-length: ", &told.body.len().to_string(), "\r\n"]);
    }
    head.push_str("\r\n");
    let _ = stream.write_all(head.as_bytes());
    if asked.method == "HEAD" {
        return;
    }
    match told.manner {
        Manner::Cut(bytes) => {
            let _ = stream.write_all(&told.body[..bytes]);
        }
        Manner::Stall(bytes) => {
            let _ = stream.write_all(&told.body[..bytes]);
            hold(&mut stream);
        }
        _ => {
            let _ = stream.write_all(&told.body);
        }
    }
}

/// Until the client goes.
fn hold(stream: &mut impl Read) {
    let _ = stream.read(&mut [0; 64]);
}

fn read(stream: &mut impl Read) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_ascii_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => {
                headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
            }
            None => break,
        }
    }
    let length = headers.get("content-length").map_or(0, |text| text.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { method, target, headers, body })
}
