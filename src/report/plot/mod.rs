//! What plots of all reports share: an area, its axes, and the grid between them, as inline SVG.
//!
//! They need no script, and take their colours from the page's style, `page.css`.

pub(in crate::report) mod axis;
pub(in crate::report) mod line;
pub(in crate::report) mod time_axis;

pub(in crate::report) use axis::Axis;

/// The style of every page.
pub(in crate::report) const STYLE: &str = include_str!("../page.css");

/// A plot's outer size and the margins that leave room for labels, px.
pub(in crate::report) struct Area {
    pub(in crate::report) width: f64,
    pub(in crate::report) height: f64,
    pub(in crate::report) left: f64,
    pub(in crate::report) right: f64,
    pub(in crate::report) top: f64,
    pub(in crate::report) bottom: f64,
}

impl Area {
    /// The pixels an x axis spans.
    pub(in crate::report) fn x_span(&self) -> (f64, f64) {
        (self.left, self.width - self.right)
    }

    /// The pixels a y axis spans: from the bottom up.
    pub(in crate::report) fn y_span(&self) -> (f64, f64) {
        (self.height - self.bottom, self.top)
    }

    /// An SVG of this size around `content`; `attributes` must be escaped already.
    pub(in crate::report) fn svg(&self, title: &str, attributes: &str, content: &str) -> String {
        let (width, height) = (self.width, self.height);
        let title = crate::report::html::escape(title);
        format!(
            "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{title}\" {attributes}>{content}</svg>\n"
        )
    }

    /// Vertical lines with labels below.
    pub(in crate::report) fn x_grid(&self, axis: &Axis, ticks: &[(f64, String)]) -> String {
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
    pub(in crate::report) fn y_grid(&self, axis: &Axis, ticks: &[(f64, String)]) -> String {
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
    pub(in crate::report) fn captions(&self, x: &str, y: &str) -> String {
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
