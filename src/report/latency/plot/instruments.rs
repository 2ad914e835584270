//! What a run costs by how many instruments it holds: latency by stage, throughput, memory.

use super::Area;
use super::axis::{byte_labels, count_labels, nanos_labels, rate_labels};
use super::scatter::{Dot, Labels, Scatter};
use crate::report::latency::model::{InstrumentPoint, StagePoint};
use crate::report::units;

const AREA: Area = Area { width: 510.0, height: 250.0, left: 66.0, right: 16.0, top: 36.0, bottom: 46.0 };

/// Names of the throughput's lines, in the order of their colours.
pub const THROUGHPUT_SERIES: [&str; 2] = ["whole process", "the stages alone"];
/// Names of the memory's lines, in the order of their colours.
pub const MEMORY_SERIES: [&str; 3] = ["whole process", "less the generated market", "books"];

/// Names of the stages, in the order of the pipeline and of their colours.
#[must_use]
pub fn stage_names(points: &[InstrumentPoint]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for stage in points.iter().flat_map(|point| &point.stages) {
        if !names.contains(&stage.name) {
            names.push(stage.name.clone());
        }
    }
    names
}

/// One line a stage; nothing without points.
#[must_use]
pub fn latency(points: &[InstrumentPoint], percentile: &str, of: fn(&StagePoint) -> u64) -> Option<String> {
    let line = |name: &String| {
        let stage = |point: &InstrumentPoint| {
            let ns = of(point.stages.iter().find(|stage| stage.name == *name)?);
            Some(dot(point, ns as f64, &format!("{name} {percentile} {}", units::nanos(ns))))
        };
        ordered(points).into_iter().filter_map(stage).collect()
    };
    let lines: Vec<Vec<Dot>> = stage_names(points).iter().map(line).collect();
    plot(&format!("Latency, {percentile}"), "latency", nanos_labels, &lines)
}

/// Frames a second; nothing without points.
#[must_use]
pub fn throughput(points: &[InstrumentPoint]) -> Option<String> {
    let figures: [fn(&InstrumentPoint) -> f64; 2] =
        [|p| p.frames_per_s, |p| p.stages_frames_per_s.unwrap_or(0.0)];
    let text = |value: f64| units::rate(value);
    plot("Frames a second", "frames a second", rate_labels, &lines(points, THROUGHPUT_SERIES, figures, text))
}

/// Memory; nothing without points.
#[must_use]
pub fn memory(points: &[InstrumentPoint]) -> Option<String> {
    let figures: [fn(&InstrumentPoint) -> f64; 3] =
        [|p| p.peak_memory_bytes as f64, |p| p.own_memory_bytes() as f64, |p| p.book_bytes as f64];
    let text = |value: f64| units::bytes(value as u64);
    plot("Memory", "memory", byte_labels, &lines(points, MEMORY_SERIES, figures, text))
}

fn lines<const N: usize>(
    points: &[InstrumentPoint],
    names: [&str; N],
    figures: [fn(&InstrumentPoint) -> f64; N],
    text: fn(f64) -> String,
) -> Vec<Vec<Dot>> {
    let line = |(name, figure): (&str, fn(&InstrumentPoint) -> f64)| {
        let good =
            ordered(points).into_iter().filter(|point| figure(point).is_finite() && figure(point) > 0.0);
        good.map(|point| dot(point, figure(point), &format!("{name} {}", text(figure(point))))).collect()
    };
    names.into_iter().zip(figures).map(line).collect()
}

fn ordered(points: &[InstrumentPoint]) -> Vec<&InstrumentPoint> {
    let mut points: Vec<&InstrumentPoint> = points.iter().filter(|point| point.instruments > 0).collect();
    points.sort_by_key(|point| point.instruments);
    points
}

fn dot(point: &InstrumentPoint, y: f64, what: &str) -> Dot {
    let label = format!("{what} with {} instruments", units::count(point.instruments));
    Dot { x: point.instruments as f64, y, hollow: false, label }
}

fn plot(title: &str, caption: &str, labels: Labels, lines: &[Vec<Dot>]) -> Option<String> {
    let scatter = Scatter {
        area: &AREA,
        title: &format!("{title} by number of instruments"),
        captions: ("instruments", caption),
        labels: [count_labels, labels],
        joined: true,
    };
    scatter.draw(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(instruments: u64, stages: &[&str]) -> InstrumentPoint {
        let stage = |name: &&str| StagePoint { name: (*name).into(), p50_ns: 100, p99_ns: 900 };
        InstrumentPoint {
            instruments,
            stages: stages.iter().map(stage).collect(),
            ..InstrumentPoint::default()
        }
    }

    #[test]
    fn a_stage_has_a_dot_where_it_was_measured() {
        let points = [point(100, &["decode", "total"]), point(10, &["decode"])];
        assert_eq!(stage_names(&points), ["decode", "total"]);
        let svg = latency(&points, "p99", |s| s.p99_ns).expect("three dots");
        assert_eq!(svg.matches("<circle").count(), 3);
    }

    #[test]
    fn figures_that_are_not_there_are_left_out() {
        assert!(latency(&[], "p50", |s| s.p50_ns).is_none());
        assert!(throughput(&[point(10, &[])]).is_none() && memory(&[point(10, &[])]).is_none());
        let known = InstrumentPoint { peak_memory_bytes: 9_000_000, ..point(10, &[]) };
        assert_eq!(memory(&[known]).expect("two dots").matches("<circle").count(), 2);
    }
}
