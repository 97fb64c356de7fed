//! The texts that the demo prints before and after its table: what it does, where to look, and what to try.
//!
//! The printed commands work in another terminal and in another folder. So they name a file with the settings of the
//! demo, and they name this program by its path where the shell does not find it by its name.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use platform::config;

pub(super) const INTRODUCTION: &str = "\
Debrief turns every call and meeting into a transcript, an analysis, a CRM update and a Slack
message. This demo runs all of it in one process and sends eight sample calls through it. Only the
providers (speech to text, a model, Slack, Salesforce, a call-data API) are not the real ones: they
are simulated on this machine. Nothing leaves it, and everything is deleted when the demo ends.";

/// The running demo, as the invitation describes it.
pub(super) struct Demo<'a> {
    /// The address of the demo, such as `http://127.0.0.1:8000`.
    pub(super) address: &'a str,
    /// The address of the simulated Slack.
    pub(super) slack: &'a str,
    /// The file with the settings of the demo.
    pub(super) config: &'a Path,
}

impl Demo<'_> {
    pub(super) fn invitation(&self) -> String {
        let Self { address, slack, config } = self;
        let debrief = format!("{} --config {}", program(), quoted(&config.display().to_string()));
        let places = [
            (format!("{address}/"), "the console, with the sample calls"),
            (format!("{address}/live"), "a call that is spoken now"),
            (format!("{address}/practice"), "a sales meeting that was rehearsed, with its score"),
            (format!("{address}/docs"), "the API, to try out"),
            (format!("{slack}/_control/received"), "what reached the simulated Slack"),
        ];
        let width = places.iter().map(|(place, _)| place.len()).max().unwrap_or_default();
        let places = places.map(|(place, what)| format!("  {place:width$}  {what}"));
        let commands = [
            format!("  {debrief} calls show DEMO-714"),
            format!("  {debrief} dead list"),
            format!("  curl {address}/api/calls/DEMO-714/transcript.txt"),
        ];
        format!(
            "Open in a browser:\n{}\n\nIt serves on until you press Ctrl-C. Try in another terminal:\n{}",
            places.join("\n"),
            commands.join("\n")
        )
    }
}

/// Writes the settings of the demo to a file, so that the commands can read them.
pub(super) fn write_settings(folder: &Path, settings: &[(&'static str, String)]) -> anyhow::Result<PathBuf> {
    let mut text = String::from("# The settings of the demo that runs.\n");
    for (name, value) in settings {
        // Every JSON string is also a TOML string.
        let value = serde_json::to_string(value).context("write a setting of the demo")?;
        writeln!(text, "{} = {value}", name.to_ascii_lowercase())
            .unwrap_or_else(|_| unreachable!("writing to a string cannot fail"));
    }
    let path = folder.join(config::FILE);
    std::fs::write(&path, text).context("write the settings of the demo")?;
    Ok(path)
}

/// The text with which a shell starts this program.
fn program() -> String {
    let Ok(path) = std::env::current_exe() else { return "debrief".to_owned() };
    let is_found =
        on_path("debrief").is_some_and(|found| found.canonicalize().ok() == path.canonicalize().ok());
    if is_found { "debrief".to_owned() } else { quoted(&path.display().to_string()) }
}

/// The file that a shell runs when somebody types `name`.
fn on_path(name: &str) -> Option<PathBuf> {
    let folders = config::environment().find(|(variable, _)| variable == "PATH")?.1;
    std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// Writes a path so that a shell reads it as one word.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,=".contains(c);
    if path.chars().all(plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use platform::config::load;

    use super::*;

    #[test]
    fn the_commands_find_the_settings_of_the_demo() {
        let folder = tempfile::tempdir().unwrap();
        let settings = [("PORT", "8123".to_owned()), ("OPENAI_API_KEY", "a \"b\" \\ c".to_owned())];
        let path = write_settings(folder.path(), &settings).unwrap();
        let values = load(&crate::settings::known(), Some(&path), std::iter::empty()).unwrap();
        assert_eq!(values.text("PORT").as_deref(), Some("8123"));
        assert_eq!(values.text("OPENAI_API_KEY").as_deref(), Some("a \"b\" \\ c"));
    }

    #[test]
    fn the_invitation_ends_with_three_commands_that_name_this_demo() {
        let demo = Demo {
            address: "http://127.0.0.1:8123",
            slack: "http://127.0.0.1:9",
            config: Path::new("/tmp/my demo/debrief.toml"),
        };
        let text = demo.invitation();
        let commands: Vec<&str> = text.lines().rev().take(3).map(str::trim).collect();
        assert_eq!(commands[0], "curl http://127.0.0.1:8123/api/calls/DEMO-714/transcript.txt");
        assert!(commands[1].ends_with(" --config '/tmp/my demo/debrief.toml' dead list"), "{text}");
        assert!(commands[2].ends_with(" --config '/tmp/my demo/debrief.toml' calls show DEMO-714"), "{text}");
    }

    #[test]
    fn a_path_is_one_word_whatever_stands_in_it() {
        assert_eq!(quoted("/usr/bin/debrief"), "/usr/bin/debrief");
        assert_eq!(quoted("/a b/$x/it's"), r"'/a b/$x/it'\''s'");
    }
}
