//! The sets of parameters that a sweep runs: axes, each with its values, and all or some of their combinations.
//!
//! Values are kept as they are written. A range of decimals is counted in whole steps of its own precision, so that
//! `0.1..0.3:0.1` is 0.1, 0.2, 0.3 and nothing else.

use super::{Setting, SpaceError};
use crate::domain::decimal::{Scaled, parse};
use crate::domain::params::PARAM_DECIMALS;
use crate::venue::local::rng::Rng;
use std::collections::HashSet;

/// The most sets of parameters that one sweep runs.
pub const POINTS_MAX: u64 = 1_000_000;

/// One parameter and the values it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    /// The parameter.
    pub name: String,
    /// In the order in which they were given; each once.
    pub values: Vec<String>,
}

impl Axis {
    /// `NAME=VALUES`, where the values are a list `5,10,20`, whose members may be ranges `FROM..TO` (in steps of 1) or
    /// `FROM..TO:STEP`, both ends included.
    ///
    /// # Errors
    /// [`SpaceError`] where it is something else.
    pub fn parse(text: &str) -> Result<Self, SpaceError> {
        let (name, values) = text.split_once('=').ok_or_else(|| SpaceError::Syntax(text.to_owned()))?;
        let name = name.trim().to_owned();
        if name.is_empty() {
            return Err(SpaceError::Syntax(text.to_owned()));
        }
        let mut axis = Gathered { axis: Self { name, values: Vec::new() }, there: HashSet::new() };
        for part in values.split(',').map(str::trim) {
            if part.is_empty() {
                return Err(SpaceError::Empty { name: axis.axis.name });
            }
            match part.split_once("..") {
                Some((from, rest)) => axis.add_range(part, from, rest)?,
                None => axis.add(part.to_owned())?,
            }
        }
        Ok(axis.axis)
    }
}

/// An axis whose values are being read.
struct Gathered {
    axis: Axis,
    /// What its values are, whatever way they are written: `2` and `02` are one.
    there: HashSet<Value>,
}

#[derive(PartialEq, Eq, Hash)]
enum Value {
    Number(i64),
    Text(String),
}

impl Gathered {
    fn add(&mut self, value: String) -> Result<(), SpaceError> {
        let is = match parse(value.as_bytes(), PARAM_DECIMALS) {
            Ok(number) => Value::Number(number),
            Err(_) => Value::Text(value.clone()),
        };
        if !self.there.insert(is) {
            return Err(SpaceError::Twice { name: self.axis.name.clone(), value });
        }
        self.axis.values.push(value);
        Ok(())
    }

    fn add_range(&mut self, range: &str, from: &str, rest: &str) -> Result<(), SpaceError> {
        let refused = || SpaceError::Range { name: self.axis.name.clone(), range: range.to_owned() };
        let (to, step) = rest.split_once(':').unwrap_or((rest, "1"));
        let number = |text: &str| parse(text.trim().as_bytes(), PARAM_DECIMALS).map_err(|_| refused());
        let (from, to, step) = (number(from)?, number(to)?, number(step)?);
        if from >= to || step <= 0 {
            return Err(refused());
        }
        let count = to.abs_diff(from) / step.unsigned_abs() + 1;
        if count > POINTS_MAX {
            return Err(SpaceError::TooMany(count));
        }
        for n in 0..count {
            let value = i128::from(from) + i128::from(n) * i128::from(step);
            self.add(format!("{:#}", Scaled { value, decimals: PARAM_DECIMALS }))?;
        }
        Ok(())
    }
}

/// A set of parameters: its number among all combinations, the last axis varying fastest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Point(pub u64);

/// Which of the combinations are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// All.
    Grid,
    /// So many different ones, drawn with this seed; all where there are no more.
    Random {
        /// How many.
        count: u64,
        /// The seed.
        seed: u64,
    },
}

/// All axes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Space {
    axes: Vec<Axis>,
}

impl Space {
    /// Of at least one axis, no two of one name.
    ///
    /// # Errors
    /// [`SpaceError::NoAxis`], [`SpaceError::AxisTwice`], [`SpaceError::Empty`].
    pub fn new(axes: Vec<Axis>) -> Result<Self, SpaceError> {
        if axes.is_empty() {
            return Err(SpaceError::NoAxis);
        }
        for (n, axis) in axes.iter().enumerate() {
            if axis.values.is_empty() {
                return Err(SpaceError::Empty { name: axis.name.clone() });
            }
            if axes[..n].iter().any(|before| before.name == axis.name) {
                return Err(SpaceError::AxisTwice(axis.name.clone()));
            }
        }
        Ok(Self { axes })
    }

    /// The axes.
    #[must_use]
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// How many combinations there are; saturating.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.axes.iter().map(|axis| axis.values.len() as u64).fold(1, u64::saturating_mul)
    }

    /// The points to run, in the order of their numbers.
    ///
    /// # Errors
    /// [`SpaceError::TooMany`] beyond a million points.
    pub fn points(&self, choice: Choice) -> Result<Vec<Point>, SpaceError> {
        let size = self.size();
        match choice {
            Choice::Random { count, .. } if count.min(size) > POINTS_MAX => Err(SpaceError::TooMany(count)),
            Choice::Random { count, seed } if count < size => Ok(drawn(count, size, seed)),
            _ if size > POINTS_MAX => Err(SpaceError::TooMany(size)),
            _ => Ok((0..size).map(Point).collect()),
        }
    }

    /// Where a point is on each axis.
    #[must_use]
    pub fn places(&self, point: Point) -> Vec<usize> {
        let mut rest = point.0;
        let mut places = vec![0; self.axes.len()];
        for (place, axis) in places.iter_mut().zip(&self.axes).rev() {
            let len = axis.values.len() as u64;
            *place = (rest % len) as usize;
            rest /= len;
        }
        places
    }

    /// The point at these places of the axes, as many as there are axes.
    #[must_use]
    pub fn at(&self, places: &[usize]) -> Point {
        let number = self.axes.iter().zip(places).fold(0u64, |number, (axis, &place)| {
            number.saturating_mul(axis.values.len() as u64).saturating_add(place as u64)
        });
        Point(number)
    }

    /// The parameters of a point.
    #[must_use]
    pub fn settings(&self, point: Point) -> Vec<Setting<'_>> {
        let places = self.places(point);
        self.axes
            .iter()
            .zip(places)
            .map(|(axis, place)| Setting { name: &axis.name, value: &axis.values[place] })
            .collect()
    }
}

/// `count` of `size` numbers, each once, in order.
fn drawn(count: u64, size: u64, seed: u64) -> Vec<Point> {
    let mut rng = Rng::new(seed, 0);
    // Floyd's: each of the sets of `count` numbers is as likely as any other, in as many draws.
    let mut chosen = HashSet::new();
    for last in size - count..size {
        let number = rng.below(last + 1);
        if !chosen.insert(number) {
            chosen.insert(last);
        }
    }
    let mut points: Vec<Point> = chosen.into_iter().map(Point).collect();
    points.sort_unstable();
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<String> {
        Axis::parse(text).expect("good values").values
    }

    #[test]
    fn ranges_are_exact_and_lists_may_have_them() {
        assert_eq!(values("x=0.1..0.5:0.1"), ["0.1", "0.2", "0.3", "0.4", "0.5"]);
        assert_eq!(values("x=5..12:3"), ["5", "8", "11"]);
        assert_eq!(values("x=-1..1"), ["-1", "0", "1"]);
        assert_eq!(values("x = 1, 5..7 ,close"), ["1", "5", "6", "7", "close"]);
    }

    #[test]
    fn a_long_range_is_read_at_once() {
        assert_eq!(values("x=1..1000000").len() as u64, POINTS_MAX);
    }

    #[test]
    fn what_is_wrong_is_told() {
        let told = |text: &str| Axis::parse(text).expect_err("it is wrong").to_string();
        assert!(told("fast").contains("expected NAME=VALUES"));
        assert!(told("=5").contains("expected NAME=VALUES"));
        assert!(told("fast=").contains("fast: no value"));
        assert!(told("fast=5,,6").contains("fast: no value"));
        assert!(told("fast=9..5").contains("is not a range"));
        assert!(told("fast=1..5:0").contains("is not a range"));
        assert!(told("fast=a..b").contains("is not a range"));
        assert!(told("fast=5,5").contains("5 is there twice"));
        assert!(told("fast=2,3,02").contains("02 is there twice"));
        assert!(told("fast=0.10..0.30:0.10,0.200").contains("0.200 is there twice"));
        assert!(told("fast=0..90000:0.00000001").contains("search some of them"));
        assert_eq!(Space::new(vec![]), Err(SpaceError::NoAxis));
        let axis = Axis::parse("a=1,2").expect("good");
        assert_eq!(Space::new(vec![axis.clone(), axis]), Err(SpaceError::AxisTwice("a".into())));
    }

    fn space() -> Space {
        Space::new(vec![Axis::parse("a=1,2,3").expect("good"), Axis::parse("b=x,y").expect("good")])
            .expect("good")
    }

    #[test]
    fn a_grid_is_every_combination_once() {
        let space = space();
        let points = space.points(Choice::Grid).expect("few");
        let shown: Vec<String> = points
            .iter()
            .map(|&point| space.settings(point).iter().map(|setting| setting.value).collect())
            .collect();
        assert_eq!(shown, ["1x", "1y", "2x", "2y", "3x", "3y"]);
        assert!(points.iter().all(|&point| space.at(&space.places(point)) == point));
    }

    #[test]
    fn random_points_are_different_ones_and_the_same_for_a_seed() {
        let wide = Space::new(vec![
            Axis::parse("a=1..1000").expect("good"),
            Axis::parse("b=1..1000").expect("good"),
        ])
        .expect("good");
        let draw = |count, seed| wide.points(Choice::Random { count, seed }).expect("few");
        let points = draw(5_000, 1);
        assert_eq!(points.len(), 5_000);
        assert!(points.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(points, draw(5_000, 1));
        assert_ne!(points, draw(5_000, 2));
        // Half of them in the upper half, within some eight deviations.
        let upper = points.iter().filter(|point| point.0 >= 500_000).count();
        assert!((2_200..2_800).contains(&upper), "{upper}");
        assert_eq!(space().points(Choice::Random { count: 99, seed: 1 }), space().points(Choice::Grid));
        let huge =
            Space::new((0..12).map(|n| Axis::parse(&format!("a{n}=1..1000")).expect("good")).collect());
        let huge = huge.expect("good");
        assert!(matches!(huge.points(Choice::Grid), Err(SpaceError::TooMany(_))));
        assert_eq!(huge.points(Choice::Random { count: 10, seed: 1 }).expect("few").len(), 10);
    }
}
