//! Prints results as JSON for programs, and as columns and pages for people. Also reads times from the command line.
//!
//! Texts that other people wrote are made harmless first. A terminal obeys control characters, and some marks reverse
//! the order of the letters.

use anyhow::Context as _;
use chrono_tz::Tz;
use comfy_table::{ContentArrangement, Table, presets};
use domain::moment::Moment;
use domain::shown_text::escaped_json;
pub(crate) use domain::shown_text::one_line as visible;
use serde::Serialize;

/// The longest line of a page, in characters.
const PAGE_WIDTH: u16 = 100;

/// Prints a value exactly. What a terminal would obey is written as an escape of JSON.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    say!("{}", escaped_json(&serde_json::to_string_pretty(value).context("print JSON")?));
    Ok(())
}

/// Writes a table whose columns are as wide as their contents, without lines around them. The table looks the same in
/// a terminal and in a pipe, so that scripts can read it.
pub(crate) fn table<const N: usize>(heads: [&str; N], rows: impl IntoIterator<Item = [String; N]>) {
    say!("{}", columns(heads, rows));
}

fn columns<const N: usize>(heads: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = bare();
    table.set_header(heads.map(str::to_uppercase));
    table.add_rows(rows.into_iter().map(|row| row.map(|cell| visible(&cell))));
    layout(table)
}

/// A name, and the lines that belong to it.
pub(crate) type Said = (&'static str, Vec<String>);

/// Writes groups of names with the lines of each name, and a blank line between two groups. A name without lines is
/// left out, and long lines are wrapped.
pub(crate) fn page(title: &str, groups: &[Vec<Said>]) -> String {
    let mut table = bare();
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(PAGE_WIDTH);
    for group in groups {
        let said = group.iter().filter(|(_, lines)| !lines.is_empty());
        let rows: Vec<[String; 2]> = said
            .map(|(name, lines)| {
                let lines: Vec<String> = lines.iter().map(|line| visible(line)).collect();
                [(*name).to_owned(), lines.join("\n")]
            })
            .collect();
        if !rows.is_empty() {
            table.add_row(["", ""]);
        }
        table.add_rows(rows);
    }
    format!("{}\n{}", visible(title), layout(table))
}

fn bare() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

fn layout(mut table: Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// Writes a time to the second, in the time zone of the installation.
pub(crate) fn time(at: Moment, timezone: Tz) -> String {
    at.utc().with_timezone(&timezone).format("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// Reads a time from the command line.
pub(crate) fn moment(text: &str) -> Result<Moment, String> {
    text.parse::<chrono::DateTime<chrono::Utc>>()
        .map(Moment::from)
        .map_err(|_| format!("`{text}` is no time such as 2026-01-31T12:00:00Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[[&str; 3]]) -> Vec<[String; 3]> {
        rows.iter().map(|row| row.map(str::to_owned)).collect()
    }

    #[test]
    fn a_table_is_columns_with_two_spaces_between_them_and_nothing_else() {
        let table = columns(
            ["id", "its id there", "why"],
            rows(&[["7", "CALL-1", "the answer was 404"], ["12", "", ""], ["3", "山田", "ü"]]),
        );
        let wanted = "\
ID  ITS ID THERE  WHY
7   CALL-1        the answer was 404
12
3   山田          ü";
        assert_eq!(table, wanted);
    }

    #[test]
    fn a_table_without_rows_is_its_heads() {
        assert_eq!(columns(["a", "b", "c"], rows(&[])), "A  B  C");
    }

    #[test]
    fn what_a_terminal_would_obey_is_not_printed() {
        let evil = "a\u{1b}[2J\u{7}b\u{9b}c\nd\te\u{202E}f\u{2066}g\u{200F}h\u{7f}";
        assert_eq!(
            columns(["x", "y", "z"], rows(&[[evil, "1", "2"]])),
            "X              Y  Z\na[2Jbc d efgh  1  2"
        );
        let page = page(evil, &[vec![("What", vec![evil.to_owned()])]]);
        assert_eq!(page, "a[2Jbc d efgh\n\nWhat  a[2Jbc d efgh");
    }

    #[test]
    fn a_page_wraps_long_lines_and_leaves_out_what_nobody_says() {
        let long = "word ".repeat(40);
        let page = page(
            "Title",
            &[
                vec![("Summary", vec![long]), ("Nothing", Vec::new())],
                vec![("Empty", Vec::new())],
                vec![("List", vec!["• one".to_owned(), "• two".to_owned()])],
            ],
        );
        assert!(page.lines().all(|line| line.chars().count() <= 100), "{page}");
        assert_eq!(page.matches("word").count(), 40);
        assert!(page.starts_with("Title\n\nSummary  word word"), "{page}");
        assert!(page.ends_with("word\n\nList     • one\n         • two"), "{page}");
        assert!(!page.contains("Nothing") && !page.contains("Empty"), "{page}");
    }

    #[test]
    fn a_long_value_is_printed_whole() {
        let long = "x".repeat(20_000);
        assert!(columns(["a", "b", "c"], rows(&[[&long, "1", "2"]])).contains(&long));
        let page = page("Title", &[vec![("Book", vec![long])]]);
        assert_eq!(page.matches('x').count(), 20_000);
    }
}
