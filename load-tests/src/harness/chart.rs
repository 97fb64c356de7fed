//! Draws lines over time as an SVG that is readable on a light and on a dark page.

use std::fmt::Write as _;

const WIDTH: f64 = 860.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 18.0;
const TOP: f64 = 44.0;
const PANEL: f64 = 130.0;
const GAP: f64 = 46.0;
/// The colours follow the page. Each panel has a colour that is visible on both grounds.
const STYLE: &str = "
  text { font: 12px system-ui, sans-serif; fill: #333 }
  .title { font-size: 15px; font-weight: 600 }
  .name { font-weight: 600 }
  .axis { stroke: #888; stroke-width: 1 }
  .grid { stroke: #8884; stroke-width: 1 }
  .mark { stroke: #888; stroke-width: 1; stroke-dasharray: 3 4 }
  .line { fill: none; stroke-width: 2; stroke-linejoin: round }
  @media (prefers-color-scheme: dark) { text { fill: #ddd } }
";
const COLOURS: [&str; 4] = ["#2f81f7", "#d9822b", "#3fb950", "#bc6bd9"];

/// A picture with panels below each other, which share the time.
pub struct Chart {
    pub title: String,
    pub panels: Vec<Panel>,
    /// Moments with a name, in seconds.
    pub marks: Vec<(f64, String)>,
}

/// One line over time.
pub struct Panel {
    pub name: String,
    /// Points of a time in seconds and a value, in the order of time.
    pub points: Vec<(f64, f64)>,
    /// A value stays until the next point, as a number of replicas does.
    pub is_stepped: bool,
}

impl Chart {
    pub fn svg(&self) -> String {
        let end = self
            .panels
            .iter()
            .filter_map(|panel| panel.points.last())
            .map(|point| point.0)
            .fold(1.0, f64::max);
        let x = |seconds: f64| LEFT + seconds / end * (WIDTH - LEFT - RIGHT);
        let height = TOP + index(self.panels.len().max(1)) * (PANEL + GAP);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{0}\">\n\
             <style>{STYLE}</style>\n<text class=\"title\" x=\"{LEFT}\" y=\"20\">{0}</text>\n",
            escaped(&self.title)
        );
        for (nth, panel) in self.panels.iter().enumerate() {
            let top = TOP + index(nth) * (PANEL + GAP);
            panel.draw(&mut svg, top, COLOURS[nth % COLOURS.len()], x);
        }
        let bottom = height - GAP;
        for (nth, (at, name)) in self.marks.iter().enumerate() {
            let x = x(*at);
            let _infallible = writeln!(
                svg,
                "<line class=\"mark\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>\
                 <text x=\"{:.1}\" y=\"{}\">{}</text>",
                x + 3.0,
                bottom + 30.0 + if nth % 2 == 0 { 0.0 } else { 13.0 },
                escaped(name)
            );
        }
        for seconds in ticks(end) {
            let _infallible = writeln!(
                svg,
                "<text text-anchor=\"middle\" x=\"{:.1}\" y=\"{:.1}\">{seconds:.0} s</text>",
                x(seconds),
                bottom + 15.0
            );
        }
        svg.push_str("</svg>\n");
        svg
    }
}

impl Panel {
    fn draw(&self, svg: &mut String, top: f64, colour: &str, x: impl Fn(f64) -> f64) {
        let most = self.points.iter().map(|point| point.1).fold(1.0, f64::max);
        let most = ticks(most).last().copied().unwrap_or(most).max(most);
        let y = |value: f64| top + PANEL - value / most * PANEL;
        for value in ticks(most) {
            let _infallible = writeln!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{0}\" y1=\"{1:.1}\" y2=\"{1:.1}\"/>\
                 <text text-anchor=\"end\" x=\"{2}\" y=\"{3:.1}\">{value:.0}</text>",
                WIDTH - RIGHT,
                y(value),
                LEFT - 6.0,
                y(value) + 4.0
            );
        }
        let mut path = String::new();
        let mut before: Option<f64> = None;
        for (seconds, value) in &self.points {
            let (x, y) = (x(*seconds), y(*value));
            let _infallible = match before {
                None => write!(path, "M{x:.1} {y:.1}"),
                Some(_) if self.is_stepped => write!(path, "H{x:.1}V{y:.1}"),
                Some(_) => write!(path, "L{x:.1} {y:.1}"),
            };
            before = Some(y);
        }
        let _infallible = writeln!(
            svg,
            "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{LEFT}\" y1=\"{top}\" y2=\"{0}\"/>\
             <line class=\"axis\" x1=\"{LEFT}\" x2=\"{1}\" y1=\"{0}\" y2=\"{0}\"/>\
             <path class=\"line\" stroke=\"{colour}\" d=\"{path}\"/>\
             <text class=\"name\" x=\"{LEFT}\" y=\"{2}\">{3}</text>",
            top + PANEL,
            WIDTH - RIGHT,
            top - 7.0,
            escaped(&self.name)
        );
    }
}

#[expect(clippy::cast_precision_loss, reason = "there are a handful of panels")]
fn index(nth: usize) -> f64 {
    nth as f64
}

/// Round numbers from 0 to at least `most`, about five of them.
fn ticks(most: f64) -> Vec<f64> {
    let rough = (most / 4.0).max(f64::MIN_POSITIVE);
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= rough);
    // A number of replicas or messages is whole.
    let step = step.unwrap_or(rough).max(1.0);
    let mut ticks = vec![0.0];
    while ticks.last().is_some_and(|last| last + step <= most * 1.001) {
        ticks.push(ticks.last().copied().unwrap_or_default() + step);
    }
    ticks
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_begin_at_0() {
        assert_eq!(ticks(10.0), [0.0, 5.0, 10.0]);
        assert_eq!(ticks(4.0), [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(ticks(230.0), [0.0, 100.0, 200.0]);
        assert_eq!(ticks(0.0), [0.0]);
    }

    #[test]
    fn a_picture_has_each_panel_and_each_mark_and_no_markup_of_its_names() {
        let panel = |name: &str, is_stepped| Panel {
            name: name.into(),
            points: vec![(0.0, 0.0), (10.0, 3.0)],
            is_stepped,
        };
        let chart = Chart {
            title: "a < b".into(),
            panels: vec![panel("messages", false), panel("replicas", true)],
            marks: vec![(5.0, "burst & end".into())],
        };
        let svg = chart.svg();
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"), "{svg}");
        assert!(svg.contains("a &lt; b") && svg.contains("burst &amp; end"), "{svg}");
        assert_eq!(svg.matches("class=\"line\"").count(), 2);
        assert!(svg.contains("H842.0V") && svg.contains("prefers-color-scheme: dark"), "{svg}");
    }
}
