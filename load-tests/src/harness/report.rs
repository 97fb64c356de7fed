//! `RESULTS.md`: each measurement has a section of its own, between markers, and replaces it.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;

/// The file as it begins.
const EMPTY: &str = "# What was measured

`make bench` measures everything again and replaces the sections below; each also has a command of its own.
The load is made on the machine that is measured, and shares its processor with Debrief and the servers.

## Ingest

<!-- ingest -->
<!-- /ingest -->

## Idle

<!-- idle -->
<!-- /idle -->

## Start

<!-- start -->
<!-- /start -->
";

pub struct Report {
    path: PathBuf,
    /// What is measured. Read at the start: somebody may commit while it is measured.
    measured: String,
}

impl Report {
    /// `was_named`: the binary was not built from this checkout as far as anybody knows.
    pub fn new(path: PathBuf, was_named: bool) -> Self {
        let commit = said("git", &["describe", "--always", "--dirty=, with changes", "--abbrev=9"]);
        let origin = if was_named { "a binary named with --debrief, beside a checkout" } else { "Debrief" };
        Self { path, measured: format!("{origin} at {commit}") }
    }

    /// Writes a section, with where and how it was measured. A debug build's is only shown.
    pub fn section(
        &self,
        name: &str,
        args: &str,
        servers: &[(&str, &str)],
        text: &str,
    ) -> anyhow::Result<()> {
        let section = format!(
            "{text}\n{}Again: `make bench ARGS=\"{args}\"`\n",
            circumstances(&self.measured, servers)
        );
        println!("{name}\n\n{section}");
        if cfg!(debug_assertions) {
            return Ok(());
        }
        let before = if self.path.exists() {
            std::fs::read_to_string(&self.path).context("read the results")?
        } else {
            EMPTY.to_owned()
        };
        let after = replaced(&before, name, &section)
            .with_context(|| format!("{} has no place for `{name}`", self.path.display()))?;
        std::fs::write(&self.path, after).context("write the results")
    }
}

/// `text` with another section in place of the one of that name.
fn replaced(text: &str, name: &str, section: &str) -> Option<String> {
    let (before, rest) = text.split_once(&format!("<!-- {name} -->"))?;
    let (_, after) = rest.split_once(&format!("<!-- /{name} -->"))?;
    Some(format!("{before}<!-- {name} -->\n{section}<!-- /{name} -->{after}"))
}

/// How a target was met.
pub fn verdict(is_met: bool) -> &'static str {
    if is_met { "met" } else { "**missed**" }
}

/// When, of what, with what and on what.
fn circumstances(measured: &str, servers: &[(&str, &str)]) -> String {
    let now = chrono::Utc::now().format("%Y-%m-%d %H:%M UTC");
    let rustc = said("rustc", &["--version"]);
    let mut lines = format!("Measured {now}: {measured}; {rustc}");
    for (name, version) in servers {
        let _infallible = write!(lines, "; {name} {version}");
    }
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = field("/proc/cpuinfo", "model name");
    let kibibytes = field("/proc/meminfo", "MemTotal").trim_end_matches(" kB").parse().unwrap_or(0_u64);
    let gigabytes = kibibytes * 1024 / 1_000_000_000;
    let _infallible = writeln!(lines, "; {cores} cores ({model}), {gigabytes} GB of memory.");
    lines
}

/// What a program says in one line, in the folder of this crate.
fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    match output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => format!("an unknown {program}"),
    }
}

fn field(file: &str, name: &str) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let value = text.lines().filter_map(|line| line.split_once(':')).find(|(key, _)| key.trim() == name);
    value.map_or_else(|| format!("unknown {name}"), |(_, value)| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_replaces_itself_and_leaves_the_others() {
        let once = replaced(EMPTY, "idle", "first\n").unwrap();
        let twice = replaced(&once, "idle", "second\n").unwrap();
        assert!(
            twice.contains("<!-- idle -->\nsecond\n<!-- /idle -->") && !twice.contains("first"),
            "{twice}"
        );
        assert_eq!(replaced(&twice, "idle", ""), replaced(EMPTY, "idle", ""));
    }

    #[test]
    fn every_measurement_has_its_place() {
        assert!(["ingest", "idle", "start"].iter().all(|name| replaced(EMPTY, name, "").is_some()));
        assert_eq!(replaced(EMPTY, "other", ""), None);
    }
}
