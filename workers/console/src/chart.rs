//! Pictures of numbers over time, drawn by the server as SVG. They need no script, and their colours come from the style
//! sheet.

use std::fmt::Write as _;

const WIDTH: f64 = 320.0;
const HEIGHT: f64 = 84.0;
/// What is left for the words above and below the picture.
const TOP: f64 = 16.0;
const BOTTOM: f64 = 16.0;

/// One line of a chart. A place without a value is a gap.
pub(crate) struct Line<'a> {
    /// The class that gives the line its colour.
    pub(crate) class: &'static str,
    pub(crate) values: &'a [Option<i64>],
}

/// A chart of lines over the same times. `label` says in words what it shows, for those who do not see it. `ends` are the
/// first and the last time.
pub(crate) fn lines(lines: &[Line<'_>], label: &str, ends: (&str, &str)) -> String {
    let highest = lines.iter().flat_map(|line| line.values).flatten().max().copied().unwrap_or(0);
    let scale = highest.max(1);
    let mut svg = String::new();
    let mut write = |part: std::fmt::Arguments<'_>| {
        svg.write_fmt(part).unwrap_or_else(|_| unreachable!("writing to a string cannot fail"));
    };
    let floor = HEIGHT - BOTTOM;
    write(format_args!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
        escaped(label)
    ));
    write(format_args!("<path class=\"grid\" d=\"M0 {TOP}H{WIDTH}M0 {floor}H{WIDTH}\"/>"));
    for line in lines {
        for (path, is_area) in
            [(path(line.values, scale, true), true), (path(line.values, scale, false), false)]
        {
            let class = if is_area { "area" } else { "line" };
            write(format_args!("<path class=\"{class} {}\" d=\"{path}\"/>", line.class));
        }
    }
    write(format_args!("<text x=\"0\" y=\"11\">{highest}</text>"));
    write(format_args!("<text x=\"0\" y=\"{}\">{}</text>", HEIGHT - 3.0, escaped(ends.0)));
    write(format_args!(
        "<text x=\"{WIDTH}\" y=\"{}\" text-anchor=\"end\">{}</text></svg>",
        HEIGHT - 3.0,
        escaped(ends.1)
    ));
    svg
}

/// The line through the values, or the area below it.
#[expect(clippy::cast_precision_loss, reason = "a picture has fewer pixels than that")]
fn path(values: &[Option<i64>], highest: i64, is_area: bool) -> String {
    let floor = HEIGHT - BOTTOM;
    let step = WIDTH / (values.len().max(2) - 1) as f64;
    let mut path = String::new();
    let mut add = |command: char, x: f64, y: f64| {
        write!(path, "{command}{x:.1} {y:.1}")
            .unwrap_or_else(|_| unreachable!("writing to a string cannot fail"));
    };
    let mut last: Option<f64> = None;
    for (place, value) in values.iter().enumerate() {
        let x = step * place as f64;
        let Some(value) = value else {
            if let (Some(x), true) = (last, is_area) {
                add('L', x, floor);
            }
            last = None;
            continue;
        };
        let y = floor - (floor - TOP) * (*value as f64) / (highest as f64);
        if last.is_none() {
            // A place without neighbours is a dot, which a line of no length becomes.
            add('M', x, if is_area { floor } else { y });
        }
        add('L', x, y);
        last = Some(x);
    }
    if let (Some(x), true) = (last, is_area) {
        add('L', x, floor);
    }
    path
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_value_reaches_the_top_and_a_missing_one_is_a_gap() {
        let values = [Some(0), Some(4), None, Some(2), Some(0)];
        assert_eq!(path(&values, 4, false), "M0.0 68.0L0.0 68.0L80.0 16.0M240.0 42.0L240.0 42.0L320.0 68.0");
        assert_eq!(
            path(&values, 4, true),
            "M0.0 68.0L0.0 68.0L80.0 16.0L80.0 68.0M240.0 68.0L240.0 42.0L320.0 68.0L320.0 68.0"
        );
    }

    #[test]
    fn a_chart_says_in_words_what_it_shows_and_no_word_becomes_a_tag() {
        let svg = lines(&[Line { class: "due", values: &[] }], "<b>\"7\" & more", ("<i>", "now"));
        assert!(svg.contains("aria-label=\"&lt;b&gt;&quot;7&quot; &amp; more\""), "{svg}");
        assert!(!svg.contains("<b>") && !svg.contains("<i>"), "{svg}");
    }
}
