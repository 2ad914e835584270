//! Long series as a line of few points: what a screen can show of them, and no less.

use super::Axis;

/// The line through points in order of x, as the coordinates of an SVG polyline. Of many points within a pixel only
/// the first, the lowest, the highest and the last are kept, so that no spike is lost.
pub(in crate::report) fn line(points: impl IntoIterator<Item = (f64, f64)>, x: &Axis, y: &Axis) -> String {
    let mut kept = String::new();
    let mut column = Column::default();
    for (at, value) in points.into_iter().filter(|(_, value)| value.is_finite()) {
        let (px, py) = (x.px(at), y.px(value));
        if column.points > 0 && px.floor() != column.at.floor() {
            column.write(&mut kept);
            column = Column::default();
        }
        column.add(px, py);
    }
    column.write(&mut kept);
    kept
}

/// The points of one pixel's width.
#[derive(Default)]
struct Column {
    points: u64,
    at: f64,
    first: f64,
    low: f64,
    high: f64,
    last: f64,
    end: f64,
}

impl Column {
    fn add(&mut self, px: f64, py: f64) {
        if self.points == 0 {
            *self = Self { points: 1, at: px, first: py, low: py, high: py, last: py, end: px };
        } else {
            let (low, high) = (self.low.min(py), self.high.max(py));
            *self = Self { points: self.points + 1, low, high, last: py, end: px, ..*self };
        }
    }

    fn write(&self, to: &mut String) {
        let point = |to: &mut String, px: f64, py: f64| {
            let space = if to.is_empty() { "" } else { " " };
            to.push_str(&format!("{space}{px:.1},{py:.1}"));
        };
        match self.points {
            0 => {}
            1 => point(to, self.at, self.first),
            2 => {
                point(to, self.at, self.first);
                point(to, self.end, self.last);
            }
            _ => {
                for py in [self.first, self.low, self.high] {
                    point(to, self.at, py);
                }
                point(to, self.end, self.last);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_points_are_a_few_thousand_and_the_spike_is_there() {
        let (x, y) = (Axis::linear(0.0, 1e6, (0.0, 1_000.0)), Axis::linear(0.0, 100.0, (200.0, 0.0)));
        let value = |n: u32| if n == 123_457 { 99.0 } else { 10.0 };
        let line = line((0..1_000_000).map(|n| (f64::from(n), value(n))), &x, &y);
        assert!(line.split(' ').count() < 5_000);
        assert!(line.contains("123.0,2.0"), "the spike");
        assert!(line.starts_with("0.0,180.0") && line.ends_with("1000.0,180.0"));
    }

    #[test]
    fn few_points_are_all_there() {
        let (x, y) = (Axis::linear(0.0, 10.0, (0.0, 100.0)), Axis::linear(0.0, 10.0, (100.0, 0.0)));
        assert_eq!(line([(0.0, 1.0), (5.0, f64::NAN), (10.0, 9.0)], &x, &y), "0.0,90.0 100.0,10.0");
        assert_eq!(line([], &x, &y), "");
    }
}
