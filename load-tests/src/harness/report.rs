//! The file `RESULTS.md`. Each measurement has a section of its own between markers, which it replaces.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;

/// The file before anything was measured.
const EMPTY: &str = "# What was measured

`make bench` measures everything again and replaces the sections below. Each section names the command that repeats it.
The load comes from the machine that is measured, and shares its processor with Debrief and the servers.

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

## Autoscaling

<!-- autoscale -->
<!-- /autoscale -->

## A large recording

<!-- large -->
<!-- /large -->

## A large recording in a bucket

<!-- large-s3 -->
<!-- /large-s3 -->

## Memory per megabyte of transcript

<!-- memory -->
<!-- /memory -->

## Calls while they are spoken

<!-- live -->
<!-- /live -->

## Many calls

<!-- console -->
<!-- /console -->

## Many calls in an embedded store

<!-- console-embedded -->
<!-- /console-embedded -->

## Practice

<!-- practice -->
<!-- /practice -->

## Idle

<!-- idle -->
<!-- /idle -->

## Start

<!-- start -->
<!-- /start -->

## Faults

`make faults ARGS=\"run NAME --seed N\"` repeats a fault. Each run replaces its own line.

<!-- faults -->
<!-- /faults -->
";

/// The file, and what is measured.
pub struct Report {
    path: PathBuf,
    /// The commit that is measured. It is read at the start, because somebody may commit during the measurement.
    measured: String,
}

impl Report {
    /// `was_named` says that the caller named the binary, so that nobody knows whether it was built from this checkout.
    pub fn new(path: PathBuf, was_named: bool) -> Self {
        let commit = output_of("git", &["describe", "--always", "--dirty=, with changes", "--abbrev=9"]);
        let origin = if was_named { "a binary named with --debrief, beside a checkout" } else { "Debrief" };
        Self { path, measured: format!("{origin} at {commit}") }
    }

    /// Writes a section, and says in it where and how it was measured. The section of a debug build is only printed.
    pub fn section(
        &self,
        name: &str,
        args: &str,
        servers: &[(&str, &str)],
        text: &str,
    ) -> anyhow::Result<()> {
        let section = text_of_section(&self.measured, args, servers, text);
        println!("{name}\n\n{section}");
        if cfg!(debug_assertions) {
            return Ok(());
        }
        self.replace(name, &section)
    }

    /// Writes a section whose figures come from waiting times and not from the processor, so that a debug build may
    /// measure them too. The section says which build it was.
    pub fn section_of_any_build(
        &self,
        name: &str,
        args: &str,
        servers: &[(&str, &str)],
        text: &str,
    ) -> anyhow::Result<()> {
        let build = if cfg!(debug_assertions) { " (a debug build)" } else { "" };
        let section = text_of_section(&format!("{}{build}", self.measured), args, servers, text);
        println!("{name}\n\n{section}");
        self.replace(name, &section)
    }

    fn replace(&self, name: &str, section: &str) -> anyhow::Result<()> {
        let before = if self.path.exists() {
            std::fs::read_to_string(&self.path).context("read the results")?
        } else {
            EMPTY.to_owned()
        };
        let after = replaced(&before, name, section)
            .with_context(|| format!("{} has no place for `{name}`", self.path.display()))?;
        std::fs::write(&self.path, after).context("write the results")
    }

    /// Puts a line into the table of section `name`. It replaces the line whose first two cells are the same.
    pub fn line(&self, name: &str, head: &str, cells: &[String]) -> anyhow::Result<()> {
        let before = std::fs::read_to_string(&self.path).context("read the results")?;
        let section = section_of(&before, name)
            .with_context(|| format!("{} has no place for `{name}`", self.path.display()))?;
        let after = replaced(&before, name, &with_line(section, head, cells)).unwrap_or(before);
        std::fs::write(&self.path, after).context("write the results")
    }

    /// Returns the present time, and what is measured.
    pub fn of(&self) -> String {
        format!("{}, {}", chrono::Utc::now().format("%Y-%m-%d %H:%M"), self.measured)
    }
}

fn text_of_section(measured: &str, args: &str, servers: &[(&str, &str)], text: &str) -> String {
    format!("{text}\n{}Again: `make bench ARGS=\"{args}\"`\n", circumstances(measured, servers))
}

/// Returns the text between the markers of a section.
fn section_of<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<!-- {name} -->\n"))?;
    rest.split_once(&format!("<!-- /{name} -->")).map(|(section, _)| section)
}

/// Replaces one line of a table, and sorts the lines.
fn with_line(table: &str, head: &str, cells: &[String]) -> String {
    let line = format!("| {} |", cells.join(" | "));
    let key = |line: &str| line.split('|').skip(1).take(2).map(str::trim).collect::<String>();
    let mut lines: Vec<&str> = table.lines().skip(2).filter(|old| key(old) != key(&line)).collect();
    lines.push(&line);
    lines.sort_unstable();
    let columns = "|---".repeat(cells.len());
    format!("{head}\n{columns}|\n{}\n", lines.join("\n"))
}

/// Replaces the section of that name.
fn replaced(text: &str, name: &str, section: &str) -> Option<String> {
    let (before, rest) = text.split_once(&format!("<!-- {name} -->"))?;
    let (_, after) = rest.split_once(&format!("<!-- /{name} -->"))?;
    Some(format!("{before}<!-- {name} -->\n{section}<!-- /{name} -->{after}"))
}

/// Says whether a target was met.
pub fn verdict(is_met: bool) -> &'static str {
    if is_met { "met" } else { "**missed**" }
}

/// Says when and on which machine something was measured, and with which versions.
fn circumstances(measured: &str, servers: &[(&str, &str)]) -> String {
    let now = chrono::Utc::now().format("%Y-%m-%d %H:%M UTC");
    let rustc = output_of("rustc", &["--version"]);
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

/// Runs a program in the folder of this crate and returns the one line that it prints.
fn output_of(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    match output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => format!("an unknown {program}"),
    }
}

/// Returns the value of a line `name: value`.
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
    fn a_line_replaces_the_line_of_the_same_name_and_kind() {
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
        let all = [
            "ingest",
            "overload",
            "pipeline",
            "drain",
            "scale",
            "autoscale",
            "large",
            "large-s3",
            "memory",
            "live",
            "practice",
            "idle",
            "start",
            "faults",
        ];
        assert!(all.iter().all(|name| replaced(EMPTY, name, "").is_some()));
        assert_eq!(replaced(EMPTY, "other", ""), None);
    }
}
