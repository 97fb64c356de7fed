//! The process that reads one file. It is our own binary, started again with a bounded memory and a bounded time.
//!
//! A library that reads files of others can be made to hang, to panic or to ask for all memory. In a process of its own that
//! ends one reading and nothing else. The process gets no settings and no secrets, the file on its standard input, and it
//! writes the words to its standard output.

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::sync::Semaphore;

use super::read::{Content, read};
use super::{FileKind, MAX_FILE_BYTES};

/// The first argument of a process that only reads a file.
const COMMAND: &str = "read-document";
/// The address space of the child, in bytes. It holds a file of 10 MB and everything that is made of it.
const MAX_MEMORY: u64 = 768 * 1024 * 1024;
const MAX_CPU_SECONDS: u64 = 10;
const MAX_TIME: Duration = Duration::from_secs(20);
/// The longest answer of the child, in bytes.
const MAX_ANSWER: u64 = 8 * 1024 * 1024;
/// How many files are read at the same time.
const AT_ONCE: usize = 2;

/// Reads files, each in a process of its own.
#[derive(Clone, Debug)]
pub struct Reader {
    program: PathBuf,
    max_time: Duration,
    places: Arc<Semaphore>,
}

impl Reader {
    /// Reads with this program, which has to call [`asked_to_read`] first of all.
    pub fn with(program: PathBuf) -> Self {
        Self { program, max_time: MAX_TIME, places: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Reads with the program that runs now.
    pub fn of_this_program() -> std::io::Result<Self> {
        Ok(Self::with(std::env::current_exe()?))
    }

    #[must_use]
    pub fn within(self, max_time: Duration) -> Self {
        Self { max_time, ..self }
    }

    /// The words of a file. What goes wrong is a note.
    pub async fn read(&self, kind: FileKind, bytes: Bytes) -> Content {
        let Some(read_as) = kind.read_as() else {
            return Content {
                note: Some("A picture is kept, and nothing is read in it.".into()),
                ..Content::default()
            };
        };
        // The semaphore is never closed.
        let _place = self.places.acquire().await;
        let note = match tokio::time::timeout(self.max_time, self.ask(read_as, bytes)).await {
            Ok(Ok(Some(content))) => return content,
            Ok(Ok(None)) => {
                "The file could not be read: it broke its reader, or took too much memory or time."
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "failed to start the process that reads documents");
                "The file could not be read at the moment."
            }
            Err(_) => "The file could not be read: it kept its reader busy for too long.",
        };
        Content { note: Some(note.into()), ..Content::default() }
    }

    async fn ask(&self, read_as: &str, bytes: Bytes) -> std::io::Result<Option<Content>> {
        let mut child = Command::new(&self.program)
            .args([COMMAND, read_as])
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (Some(mut stdin), Some(stdout)) = (stdin, stdout) else { return Ok(None) };
        let writing = async move {
            // A child that ended early does not read all, which its answer shows.
            stdin.write_all(&bytes).await.ok();
            stdin.shutdown().await.ok();
        };
        let mut answer = Vec::new();
        let mut limited = stdout.take(MAX_ANSWER);
        let ((), read) = futures::join!(writing, limited.read_to_end(&mut answer));
        read?;
        let status = child.wait().await?;
        Ok(if status.success() { serde_json::from_slice(&answer).ok() } else { None })
    }
}

/// What a process was asked to read, if it was started for that. A program calls this before it does anything else.
pub fn asked_to_read(mut arguments: impl Iterator<Item = OsString>) -> Option<String> {
    (arguments.nth(1)? == COMMAND).then_some(())?;
    arguments.next()?.into_string().ok()
}

/// Reads the file on the standard input, and writes what was read to the standard output.
pub fn read_here(kind: &str) -> ExitCode {
    let bounded = |most| Rlimit { current: Some(most), maximum: Some(most) };
    for (resource, most) in [
        (Resource::As, MAX_MEMORY),
        (Resource::Cpu, MAX_CPU_SECONDS),
        (Resource::Core, 0),
        (Resource::Fsize, 0),
    ] {
        if setrlimit(resource, bounded(most)).is_err() {
            return ExitCode::FAILURE;
        }
    }
    let mut bytes = Vec::new();
    let read_all = std::io::stdin().lock().take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes);
    if read_all.is_err() || bytes.len() > MAX_FILE_BYTES {
        return ExitCode::FAILURE;
    }
    let content = read(kind, &bytes);
    match serde_json::to_vec(&content).map(|answer| std::io::stdout().lock().write_all(&answer)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
