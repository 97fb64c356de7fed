//! How results are printed: JSON for programs, columns for people; and how a time is read.

use anyhow::Context as _;
use domain::moment::Moment;
use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;

pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    say!("{}", serde_json::to_string_pretty(value).context("print JSON")?);
    Ok(())
}

/// Columns as wide as what stands in them. Control characters, which a terminal would obey, are dropped.
pub(crate) fn table<const N: usize>(heads: [&str; N], rows: impl IntoIterator<Item = [String; N]>) {
    let rows: Vec<[String; N]> = std::iter::once(heads.map(str::to_uppercase))
        .chain(rows.into_iter().map(|row| row.map(|cell| cell.chars().filter(|c| !c.is_control()).collect())))
        .collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    for row in &rows {
        let line: Vec<String> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.width())))
            .collect();
        say!("{}", line.join("  ").trim_end());
    }
}

/// A time on the command line.
pub(crate) fn moment(text: &str) -> Result<Moment, String> {
    text.parse::<chrono::DateTime<chrono::Utc>>()
        .map(Moment::from)
        .map_err(|_| format!("`{text}` is no time such as 2026-01-31T12:00:00Z"))
}
