use std::{
    collections::VecDeque,
    fs,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    fs::File,
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWriteExt as _, BufReader},
    sync::mpsc,
};

/// A log file is turned over at this size; one older one is kept.
const LOG_BYTES: u64 = 10 * 1024 * 1024;
/// A longer line is cut into several.
const LINE_BYTES: usize = 16 * 1024;
/// So many lines are kept in memory.
const TAIL_LINES: usize = 200;

/// The newest lines of a replica.
pub(super) type Tail = Arc<Mutex<VecDeque<String>>>;

/// Reads lines until the pipe ends or nobody listens.
pub(super) async fn read_lines(source: impl AsyncRead + Unpin, sender: mpsc::Sender<String>) {
    let mut reader = BufReader::with_capacity(LINE_BYTES, source);
    let mut line = Vec::new();
    loop {
        let (used, ends) = match reader.fill_buf().await {
            Ok([]) | Err(_) => break,
            Ok(buffer) => {
                let room = buffer.len().min(LINE_BYTES - line.len());
                let end = buffer[..room].iter().position(|byte| *byte == b'\n');
                line.extend_from_slice(&buffer[..end.unwrap_or(room)]);
                match end {
                    Some(end) => (end + 1, true),
                    None => (room, line.len() >= LINE_BYTES),
                }
            }
        };
        reader.consume(used);
        if ends {
            let text = String::from_utf8_lossy(&line).into_owned();
            line.clear();
            if sender.send(text).await.is_err() {
                return;
            }
        }
    }
    if !line.is_empty() {
        // Who listened may be gone.
        let _ = sender.send(String::from_utf8_lossy(&line).into_owned()).await;
    }
}

/// Where lines go: the log file, the tail, and whoever asked for them.
pub(super) struct LogWriter<F> {
    path: PathBuf,
    file: Option<File>,
    written: u64,
    tail: Tail,
    lines: F,
}

impl<F: Fn(String)> LogWriter<F> {
    pub(super) async fn open(path: PathBuf, tail: Tail, lines: F) -> Self {
        let written = fs::metadata(&path).map_or(0, |found| found.len());
        let mut writer = Self { path, file: None, written, tail, lines };
        writer.reopen().await;
        writer
    }

    async fn reopen(&mut self) {
        let opened = tokio::fs::OpenOptions::new().create(true).append(true).open(&self.path).await;
        self.file = opened
            .inspect_err(|error| {
                tracing::warn!(log.path = %self.path.display(), error = %error, "log file cannot be opened");
            })
            .ok();
    }

    pub(super) async fn write(&mut self, line: String) {
        if self.written > LOG_BYTES {
            // Where that fails the same file is written on, and the next turn tries again.
            let _ = tokio::fs::rename(&self.path, self.path.with_extension("log.1")).await;
            self.reopen().await;
            self.written = 0;
        }
        if let Some(file) = &mut self.file {
            let text = format!("{line}\n");
            self.written += text.len() as u64;
            // A full disk must not end the replica; its lines still go to the tail.
            let _ = file.write_all(text.as_bytes()).await;
        }
        {
            let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
            if tail.len() == TAIL_LINES {
                tail.pop_front();
            }
            tail.push_back(line.clone());
        }
        (self.lines)(line);
    }

    pub(super) async fn finish(mut self) {
        if let Some(file) = &mut self.file {
            let _ = file.flush().await;
        }
    }
}
