//! A server that answers as its script says: well, badly, slowly, half.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use mercurious_runtime::Tasks;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// One answer.
#[derive(Debug, Clone)]
pub enum Scripted {
    /// A status, headers and a body.
    Says(u16, &'static str, String),
    /// The first bytes of an answer, then the connection is closed.
    Cut,
    /// An answer that begins and never ends.
    Slow,
}

/// Runs until it is dropped; once the script is over, the last answer is repeated.
pub struct FakeModel {
    pub url: String,
    asked: Arc<Mutex<Vec<Value>>>,
    heads: Arc<Mutex<Vec<String>>>,
    tasks: Tasks,
}

impl Drop for FakeModel {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

impl FakeModel {
    pub async fn start(script: Vec<Scripted>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let (asked, heads, tasks) = (Arc::default(), Arc::default(), Tasks::new());
        let script = Arc::new(Mutex::new(VecDeque::from(script)));
        let (seen, lines, stop) = (Arc::clone(&asked), Arc::clone(&heads), tasks.stopping());
        let each = tasks.clone();
        tasks.spawn("fake model", async move {
            loop {
                let stream = tokio::select! {
                    () = stop.cancelled() => return,
                    accepted = listener.accept() => accepted.unwrap().0,
                };
                let (script, seen, lines) =
                    (Arc::clone(&script), Arc::clone(&seen), Arc::clone(&lines));
                let stop = stop.clone();
                each.spawn("connection", async move {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = answer(stream, &script, &seen, &lines) => {}
                    }
                });
            }
        });
        Self { url, asked, heads, tasks }
    }

    /// What was asked: the bodies.
    pub fn asked(&self) -> Vec<Value> {
        self.asked.lock().unwrap().clone()
    }

    /// The heads of the requests.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

async fn answer(
    mut stream: TcpStream,
    script: &Mutex<VecDeque<Scripted>>,
    seen: &Mutex<Vec<Value>>,
    lines: &Mutex<Vec<String>>,
) {
    let mut bytes = Vec::new();
    let (head, body) = loop {
        let mut part = [0; 4096];
        let read = stream.read(&mut part).await.unwrap_or(0);
        if read == 0 {
            return;
        }
        bytes.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.to_lowercase().lines().find_map(|line| {
            line.strip_prefix("content-length:").and_then(|value| value.trim().parse().ok())
        });
        if body.len() >= length.unwrap_or(0_usize) {
            break (head.to_owned(), body.to_owned());
        }
    };
    lines.lock().unwrap().push(head);
    seen.lock().unwrap().push(serde_json::from_str(&body).unwrap_or(Value::Null));
    let next = {
        let mut script = script.lock().unwrap();
        if script.len() > 1 { script.pop_front() } else { script.front().cloned() }
    };
    let long =
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{\"choi";
    match next {
        Some(Scripted::Says(status, headers, body)) => {
            let text = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(text.as_bytes()).await;
        }
        Some(Scripted::Cut) => {
            let _ = stream.write_all(long.as_bytes()).await;
        }
        Some(Scripted::Slow) => {
            let _ = stream.write_all(long.as_bytes()).await;
            std::future::pending::<()>().await;
        }
        None => {}
    }
}

/// A chat completion that says `content`.
pub fn says(content: &str) -> Scripted {
    let choice = json!({"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}});
    Scripted::Says(200, "", json!({"object": "chat.completion", "choices": [choice]}).to_string())
}

/// An error as such servers write it.
pub fn fails(status: u16, headers: &'static str, code: &str) -> Scripted {
    let body = json!({"error": {"message": "no", "type": "x", "code": code}});
    Scripted::Says(status, headers, body.to_string())
}
