//! Runs the targets of a fuzzer: it changes valid inputs at random and reads them in a child process with little memory.
//!
//! The random numbers come from a seed, so every input can be made again. An input that hangs or that takes too much memory
//! ends the child, and the runner goes on behind it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How long one input may take, and how much memory the child may have, in KiB of addresses.
const HANGS_AFTER: Duration = Duration::from_secs(20);
const MEMORY_KIB: u64 = 1024 * 1024;

static CAUGHT: AtomicU64 = AtomicU64::new(0);

/// The inputs of a program and how it reads them.
pub(crate) struct Fuzzer {
    pub(crate) targets: Vec<String>,
    /// The valid inputs of a target. The first is changed, and the others lend it parts.
    pub(crate) corpus: fn(&str) -> Vec<Vec<u8>>,
    pub(crate) read: fn(&str, Vec<u8>),
}

/// Does what the arguments of the program say.
pub(crate) fn main(fuzzer: &Fuzzer) -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
    let number = |name: &str, default: u64| value(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (seed, first) = (number("--seed", 1), number("--first", 0));
    if let Some(target) = value("--child") {
        return child(fuzzer, target, seed, first, number("--count", u64::MAX));
    }
    let only = value("--only");
    let mut failed = 0;
    for target in
        fuzzer.targets.iter().filter(|target| only.is_none_or(|only| target.contains(only.as_str())))
    {
        if value("--count").is_some() {
            return child(fuzzer, target, seed, first, number("--count", 1));
        }
        failed += run(target, seed, first, Duration::from_secs(number("--seconds", 10)));
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs a target for some time, and returns how many inputs failed.
fn run(target: &str, seed: u64, first: u64, time: Duration) -> u64 {
    let start = Instant::now();
    let (mut next, mut failed, mut caught) = (first, 0, 0);
    while start.elapsed() < time {
        let Ok((mut child, lines)) = spawn(target, seed, next) else {
            println!("{target}: the child cannot be started");
            return 1;
        };
        let ended = loop {
            let left = time.saturating_sub(start.elapsed());
            match lines.recv_timeout(HANGS_AFTER) {
                Ok(line) => match line.split_once(' ') {
                    Some(("at", at)) => next = at.parse().unwrap_or(next),
                    Some(("caught", count)) => caught += count.parse().unwrap_or(0),
                    _ => {
                        println!("{target}: {line}");
                        failed += u64::from(line.starts_with("panic"));
                    }
                },
                Err(RecvTimeoutError::Timeout) => break Some("hangs"),
                Err(RecvTimeoutError::Disconnected) => {
                    break Some("ends the process, or takes too much memory");
                }
            }
            if left.is_zero() {
                break None;
            }
        };
        // The child is ours. It has ended already, or it is ended here.
        let _already_ended = child.kill();
        let _status = child.wait();
        if let Some(how) = ended {
            println!("{target}: input {next} of seed {seed} {how}");
            failed += 1;
            next += 1;
        }
    }
    println!(
        "{target}: {} inputs, {failed} failed, {caught} panics of decoders were caught",
        next - first + 1
    );
    failed
}

fn spawn(target: &str, seed: u64, first: u64) -> std::io::Result<(Child, mpsc::Receiver<String>)> {
    let program = std::env::current_exe()?;
    let mut child = Command::new("sh")
        .arg("-c")
        .arg(format!("ulimit -v {MEMORY_KIB}; exec \"$0\" \"$@\""))
        .arg(program)
        .args(["--child", target, "--seed", &seed.to_string(), "--first", &first.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let (sender, lines) = mpsc::channel();
    if let Some(out) = child.stdout.take() {
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
    }
    Ok((child, lines))
}

/// Reads one input after the other, and writes down before each one which it is.
fn child(fuzzer: &Fuzzer, target: &str, seed: u64, first: u64, count: u64) -> ExitCode {
    std::panic::set_hook(Box::new(|_| {
        CAUGHT.fetch_add(1, Ordering::Relaxed);
    }));
    let files = (fuzzer.corpus)(target);
    let mut out = std::io::stdout();
    for nth in first..first.saturating_add(count) {
        if writeln!(out, "at {nth}").and_then(|()| out.flush()).is_err() {
            break;
        }
        let input = damaged(&files, seed, nth);
        let before = CAUGHT.load(Ordering::Relaxed);
        let escaped = catch_unwind(AssertUnwindSafe(|| (fuzzer.read)(target, input))).is_err();
        let caught = CAUGHT.load(Ordering::Relaxed) - before;
        if escaped {
            let _unread = writeln!(out, "panic: input {nth} of seed {seed}");
        } else if caught > 0 {
            let _unread = writeln!(out, "caught {caught}");
        }
    }
    ExitCode::SUCCESS
}

struct Dice(u64);

impl Dice {
    fn byte(&mut self) -> u8 {
        u8::try_from(self.roll(256)).unwrap_or_default()
    }

    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % below.max(1)
    }
}

/// The input with this number: the first file with some damage.
fn damaged(files: &[Vec<u8>], seed: u64, nth: u64) -> Vec<u8> {
    let mixed = (seed << 40 ^ nth).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mut dice = Dice(mixed ^ mixed >> 31 | 1);
    let mut input = files.first().cloned().unwrap_or_default();
    for _ in 0..=dice.roll(8) {
        let length = input.len();
        let at = if dice.roll(3) == 0 { dice.roll(length.min(256)) } else { dice.roll(length) };
        match dice.roll(9) {
            _ if length == 0 => break,
            0 => input[at] ^= 1 << dice.roll(8),
            1 => input[at] = dice.byte(),
            2 => {
                let extreme: [&[u8]; 6] = [
                    &[0; 4],
                    &[0xff; 4],
                    &[0x7f, 0xff, 0xff, 0xff],
                    &[0x80, 0, 0, 0],
                    &[0, 0, 0, 1],
                    &[0xff; 8],
                ];
                for (byte, value) in input[at..].iter_mut().zip(extreme[dice.roll(extreme.len())]) {
                    *byte = *value;
                }
            }
            3 => input.truncate(at),
            4 => {
                let until = (at + 1 + dice.roll(64)).min(length);
                input.drain(at..until);
            }
            5 => {
                let until = (at + 1 + dice.roll(256)).min(length);
                let part = input[at..until].to_vec();
                input.splice(at..at, part);
            }
            6 => {
                let other = &files[dice.roll(files.len())];
                let from = dice.roll(other.len());
                let part = other[from..(from + 1 + dice.roll(256)).min(other.len())].to_vec();
                input.splice(at..at, part);
            }
            7 => {
                let until = (at + 1 + dice.roll(32)).min(length);
                for byte in &mut input[at..until] {
                    *byte = dice.byte();
                }
            }
            _ => input[at] = input[at].wrapping_add(1),
        }
    }
    input
}
