//! Dots between two logarithmic axes, one series a colour, joined by lines or left a cloud.

use super::{Area, Axis, series_class};

/// From ticks to their labels.
pub(super) type Labels = fn(Vec<f64>) -> Vec<(f64, String)>;

/// A dot: where it is, whether it is hollow, what to say of it.
pub(super) struct Dot {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) hollow: bool,
    pub(super) label: String,
}

/// What all dots have in common.
pub(super) struct Scatter<'a> {
    pub(super) area: &'a Area,
    /// What the plot shows, for who cannot see it.
    pub(super) title: &'a str,
    /// What each axis means.
    pub(super) captions: (&'a str, &'a str),
    /// Labels for ticks of each axis.
    pub(super) labels: [Labels; 2],
    /// Whether the dots of a series are joined, in their order.
    pub(super) joined: bool,
}

impl Scatter<'_> {
    /// The plot; nothing if there is no dot.
    pub(super) fn draw(&self, series: &[Vec<Dot>]) -> Option<String> {
        let dots = || series.iter().flatten();
        dots().next()?;
        let area = self.area;
        let x = Axis::logarithmic(dots().map(|dot| dot.x), area.x_span());
        let y = Axis::logarithmic(dots().map(|dot| dot.y.max(1.0)), area.y_span());
        let drawn: String =
            series.iter().enumerate().map(|(i, dots)| self.draw_series(i, dots, &x, &y)).collect();
        let [x_labels, y_labels] = self.labels;
        let content = format!(
            "{}{}{}{drawn}",
            area.x_grid(&x, &x_labels(x.ticks(12))),
            area.y_grid(&y, &y_labels(y.ticks(10))),
            area.captions(self.captions.0, self.captions.1),
        );
        Some(area.svg(self.title, "class=\"plot\"", &content))
    }

    fn draw_series(&self, index: usize, dots: &[Dot], x: &Axis, y: &Axis) -> String {
        let at = |dot: &Dot| (x.px(dot.x), y.px(dot.y.max(1.0)));
        let points: Vec<String> = dots.iter().map(at).map(|(px, py)| format!("{px:.1},{py:.1}")).collect();
        let line =
            if self.joined { format!("<polyline points=\"{}\"/>", points.join(" ")) } else { String::new() };
        let circle = |dot: &Dot| {
            let (cx, cy) = at(dot);
            let (class, r) =
                if dot.hollow { ("dot hollow", 4.0) } else { ("dot", if self.joined { 4.0 } else { 3.0 }) };
            let label = crate::report::html::escape(&dot.label);
            format!(
                "<circle class=\"{class}\" cx=\"{cx:.1}\" cy=\"{cy:.1}\" r=\"{r}\"><title>{label}</title></circle>"
            )
        };
        let circles: String = dots.iter().map(circle).collect();
        let cloud = if self.joined { "" } else { " cloud" };
        format!("<g class=\"series{cloud} {}\">{line}{circles}</g>", series_class(index))
    }
}
