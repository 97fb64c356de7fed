//! What a process on this machine uses, whoever started it.
//!
//! Servers are found by the port they listen on. One that runs elsewhere, or whose processes may not be looked
//! at, is not found, and nothing is said of it.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

/// Of the times in `/proc/PID/stat`; the same on every Linux that people run.
const TICKS_PER_SECOND: f64 = 100.0;
const LISTENS: &str = "0A";

/// A line of `/proc/PID/status` that counts kB, in MB (10⁶ bytes).
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub fn memory_mb(id: u32, line: &str) -> anyhow::Result<f64> {
    let status = proc(id, "status")?;
    let number = status
        .lines()
        .filter_map(|text| text.split_once(':'))
        .find(|(name, _)| *name == line)
        .and_then(|(_, value)| value.trim().trim_end_matches(" kB").parse::<u64>().ok());
    let kibibytes = number.with_context(|| format!("no {line} in the process's status"))?;
    Ok(kibibytes as f64 * 1024.0 / 1e6)
}

/// Processor time that one process has used so far, in seconds.
pub fn processor_s(id: u32) -> anyhow::Result<f64> {
    let stat = Stat::of(id)?;
    Ok((stat.ticks(14)? + stat.ticks(15)?) / TICKS_PER_SECOND)
}

/// Processor time of a process and of everything it started, those that have ended too, in seconds.
pub fn family_processor_s(id: u32) -> anyhow::Result<f64> {
    let all: Vec<(u32, Stat)> = ids().filter_map(|id| Some((id, Stat::of(id).ok()?))).collect();
    let mut family = vec![id];
    // A child has a process above it, at whatever place in the list.
    loop {
        let children = all.iter().filter(|(id, stat)| {
            !family.contains(id) && stat.parent().is_some_and(|parent| family.contains(&parent))
        });
        let children: Vec<u32> = children.map(|(id, _)| *id).collect();
        if children.is_empty() {
            break;
        }
        family.extend(children);
    }
    let mut ticks = 0.0;
    for (_, stat) in all.iter().filter(|(id, _)| family.contains(id)) {
        // Fields 16 and 17 count children that have ended.
        for field in 14..=17 {
            ticks += stat.ticks(field)?;
        }
    }
    Ok(ticks / TICKS_PER_SECOND)
}

/// The process that listens on this port of this machine.
pub fn listener(port: u16) -> Option<u32> {
    let sockets =
        ["/proc/net/tcp", "/proc/net/tcp6"].map(|file| fs::read_to_string(file).unwrap_or_default());
    let inodes: Vec<&str> = sockets.iter().flat_map(|table| listening(table, port)).collect();
    let is_its = |link: &Path| {
        let target = fs::read_link(link).unwrap_or_default();
        let target = target.to_string_lossy();
        let inode = target.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
        inode.is_some_and(|inode| inodes.contains(&inode))
    };
    let mut holders: Vec<u32> = ids()
        .filter(|id| {
            let files = fs::read_dir(format!("/proc/{id}/fd")).into_iter().flatten().flatten();
            files.into_iter().any(|file| is_its(&file.path()))
        })
        .collect();
    // Whoever inherited the socket was started later.
    holders.sort_unstable();
    holders.first().copied()
}

/// The inodes of the sockets that listen on this port, of a table like `/proc/net/tcp`.
fn listening(table: &str, port: u16) -> Vec<&str> {
    let port = format!("{port:04X}");
    let lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines
        .filter(|fields| fields.get(3) == Some(&LISTENS))
        .filter(|fields| fields.get(1).is_some_and(|local| local.rsplit(':').next() == Some(&port)))
        .filter_map(|fields| fields.get(9).copied())
        .collect()
}

fn ids() -> impl Iterator<Item = u32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn proc(id: u32, file: &str) -> anyhow::Result<String> {
    fs::read_to_string(format!("/proc/{id}/{file}")).context("look at the process")
}

/// `/proc/PID/stat`, after the name, which stands in parentheses and may hold blanks.
struct Stat(Vec<String>);

impl Stat {
    fn of(id: u32) -> anyhow::Result<Self> {
        let stat = proc(id, "stat")?;
        let (_, fields) = stat.rsplit_once(") ").context("read the process's times")?;
        Ok(Self(fields.split(' ').map(str::to_owned).collect()))
    }

    /// By the number that proc(5) gives it; the state is field 3.
    fn field(&self, number: usize) -> Option<&str> {
        self.0.get(number - 3).map(String::as_str)
    }

    fn parent(&self) -> Option<u32> {
        self.field(4)?.parse().ok()
    }

    fn ticks(&self, field: usize) -> anyhow::Result<f64> {
        self.field(field).and_then(|text| text.parse().ok()).context("read the process's times")
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_server_is_found_by_the_port_it_listens_on() {
        let socket = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = socket.local_addr().unwrap().port();
        assert_eq!(listener(port), Some(std::process::id()));
        drop(socket);
        assert_eq!(listener(port), None);
    }

    #[test]
    fn a_family_uses_what_its_members_use() {
        let own = processor_s(std::process::id()).unwrap();
        assert!(family_processor_s(std::process::id()).unwrap() >= own);
        assert!(memory_mb(std::process::id(), "VmHWM").unwrap() > 1.0);
    }
}
