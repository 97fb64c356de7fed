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

## Overload

<!-- overload -->
<!-- /overload -->

## Pipeline

<!-- pipeline -->
<!-- /pipeline -->

## Backlog

<!-- drain -->
<!-- /drain -->

## More workers

<!-- scale -->
<!-- /scale -->

## A large recording

<!-- large -->
<!-- /large -->

## Idle

<!-- idle -->
<!-- /idle -->

## Start

<!-- start -->
<!-- /start -->

## Faults

`make faults ARGS=\"run NAME --seed N\"` repeats one of them; each replaces its own line.

<!-- faults -->
<!-- /faults -->
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

    /// Puts a line into the table of section `name`, in place of the one that has the same first two cells.
    pub fn line(&self, name: &str, head: &str, cells: &[String]) -> anyhow::Result<()> {
        let before = std::fs::read_to_string(&self.path).context("read the results")?;
        let section = section_of(&before, name)
            .with_context(|| format!("{} has no place for `{name}`", self.path.display()))?;
        let after = replaced(&before, name, &with_line(section, head, cells)).unwrap_or(before);
        std::fs::write(&self.path, after).context("write the results")
    }

    /// What is measured, and when.
    pub fn of(&self) -> String {
        format!("{}, {}", chrono::Utc::now().format("%Y-%m-%d %H:%M"), self.measured)
    }
}

/// What stands between the markers of a section.
fn section_of<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<!-- {name} -->\n"))?;
    rest.split_once(&format!("<!-- /{name} -->")).map(|(section, _)| section)
}

/// A table of which one line is another one, sorted by its lines.
fn with_line(table: &str, head: &str, cells: &[String]) -> String {
    let line = format!("| {} |", cells.join(" | "));
    let key = |line: &str| line.split('|').skip(1).take(2).map(str::trim).collect::<String>();
    let mut lines: Vec<&str> = table.lines().skip(2).filter(|old| key(old) != key(&line)).collect();
    lines.push(&line);
    lines.sort_unstable();
    let columns = "|---".repeat(cells.len());
    format!("{head}\n{columns}|\n{}\n", lines.join("\n"))
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
    fn a_line_replaces_the_one_of_the_same_name_and_kind() {
        let cells = |of: [&str; 3]| of.map(str::to_owned).to_vec();
        let head = "| fault | kind | verdict |";
        let one = with_line("", head, &cells(["b", "servers", "broken"]));
        let two = with_line(&one, head, &cells(["a", "servers", "holds"]));
        let three = with_line(&two, head, &cells(["b", "servers", "holds"]));
        assert_eq!(
            three,
            format!("{head}\n|---|---|---|\n| a | servers | holds |\n| b | servers | holds |\n")
        );
    }

    #[test]
    fn every_measurement_has_its_place() {
        let all = ["ingest", "overload", "pipeline", "drain", "scale", "large", "idle", "start", "faults"];
        assert!(all.iter().all(|name| replaced(EMPTY, name, "").is_some()));
        assert_eq!(replaced(EMPTY, "other", ""), None);
    }
}
