//! The plots, as inline SVG: they need no script, and take their colours from the page.

mod axis;
pub mod histogram;
pub mod instruments;
pub mod percentile;
pub mod rates;
mod scatter;

use axis::Axis;

/// A plot's outer size and the margins that leave room for labels, px.
struct Area {
    width: f64,
    height: f64,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Area {
    /// The pixels an x axis spans.
    fn x_span(&self) -> (f64, f64) {
        (self.left, self.width - self.right)
    }

    /// The pixels a y axis spans: from the bottom up.
    fn y_span(&self) -> (f64, f64) {
        (self.height - self.bottom, self.top)
    }

    /// An SVG of this size around `content`; `attributes` must be escaped already.
    fn svg(&self, title: &str, attributes: &str, content: &str) -> String {
        let (width, height) = (self.width, self.height);
        let title = crate::report::html::escape(title);
        format!(
            "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{title}\" {attributes}>{content}</svg>\n"
        )
    }

    /// Vertical lines with labels below.
    fn x_grid(&self, axis: &Axis, ticks: &[(f64, String)]) -> String {
        let (bottom, top) = self.y_span();
        let line = |(value, label): &(f64, String)| {
            let x = axis.px(*value);
            let y = bottom + 17.0;
            format!(
                "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top}\" y2=\"{bottom}\"/>\
                 <text class=\"tick\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{label}</text>"
            )
        };
        ticks.iter().map(line).collect()
    }

    /// Horizontal lines with labels to the left.
    fn y_grid(&self, axis: &Axis, ticks: &[(f64, String)]) -> String {
        let (left, right) = self.x_span();
        let line = |(value, label): &(f64, String)| {
            let y = axis.px(*value);
            let (x, baseline) = (left - 8.0, y + 4.0);
            format!(
                "<line class=\"grid\" x1=\"{left}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"tick\" x=\"{x}\" y=\"{baseline:.1}\" text-anchor=\"end\">{label}</text>"
            )
        };
        ticks.iter().map(line).collect()
    }

    /// What the axes mean: x at the right under its labels, y at the top left.
    fn captions(&self, x: &str, y: &str) -> String {
        let (left, right) = self.x_span();
        let (bottom, top) = self.y_span();
        let (below, above, middle) = (bottom + 38.0, top - 20.0, left.midpoint(right));
        format!(
            "<text class=\"axis\" x=\"{middle}\" y=\"{below}\" text-anchor=\"middle\">{x}</text>\
             <text class=\"axis\" x=\"8\" y=\"{above}\">{y}</text>"
        )
    }
}

/// The class that colours series `index`.
#[must_use]
pub fn series_class(index: usize) -> String {
    // Ten colours; then again, dashed, dotted.
    format!("s{} d{}", index % 10, index / 10 % 3)
}
