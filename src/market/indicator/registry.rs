//! The table of indicators, their parameters and ranges.
//!
//! Owns: [`REGISTRY`], and the way from what a person wrote (`period = 20`) to a checked, comparable key and on to an
//! indicator. Invariant: ranges are stated once, here or in the indicator's `SPEC`, and checked on every way in.

use super::{
    AnyIndicator, adx, atr, bollinger, cci, dema, donchian, ema, keltner, linreg, macd, momentum, obv, rsi,
    sma, stddev, stochastic, vwap, williams, wma,
};
use std::fmt;
use thiserror::Error;

/// Every indicator over a series of values, or of bars.
pub static REGISTRY: &[IndicatorSpec] = &[
    sma::SPEC,
    ema::SPEC,
    wma::SPEC,
    dema::SPEC,
    dema::TRIPLE_SPEC,
    wma::HULL_SPEC,
    rsi::SPEC,
    macd::SPEC,
    momentum::SPEC,
    momentum::RATE_SPEC,
    bollinger::SPEC,
    stddev::SPEC,
    linreg::SPEC,
    atr::SPEC,
    adx::SPEC,
    stochastic::SPEC,
    williams::SPEC,
    cci::SPEC,
    donchian::SPEC,
    keltner::SPEC,
    obv::SPEC,
    vwap::SPEC,
];

/// The most parameters an indicator has.
pub const PARAMS_MAX: usize = 4;

/// The longest period, as in TA-Lib; bounds the memory that a config can ask for.
pub const PERIOD_MAX: i64 = 100_000;

/// One parameter of an indicator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param {
    /// As written in a config.
    pub name: &'static str,
    /// For help.
    pub doc: &'static str,
    /// Where not given; in units of 1 / `scale`, as `min` and `max` are.
    pub default: i64,
    /// The smallest allowed.
    pub min: i64,
    /// The largest allowed.
    pub max: i64,
    /// Units in 1: 1 for whole numbers, 1000 for numbers kept in thousandths (2.5 deviations are 2500).
    pub scale: i64,
}

impl Param {
    pub(super) const fn whole(
        name: &'static str,
        doc: &'static str,
        default: i64,
        min: i64,
        max: i64,
    ) -> Self {
        Self { name, doc, default, min, max, scale: 1 }
    }

    /// From a tenth to a hundred: who gives a number of wholes for thousandths, 2 for 2,000, is below that and told so.
    pub(super) const fn thousandths(name: &'static str, doc: &'static str, default: i64) -> Self {
        Self { name, doc, default, min: 100, max: 100_000, scale: 1000 }
    }

    /// A stored value as a person writes it.
    #[must_use]
    pub fn shown(&self, value: i64) -> f64 {
        value as f64 / self.scale as f64
    }
}

/// One indicator: a line of [`REGISTRY`].
#[derive(Debug, Clone, Copy)]
pub struct IndicatorSpec {
    /// As written in a config.
    pub name: &'static str,
    /// For help.
    pub doc: &'static str,
    /// Its parameters, at most [`PARAMS_MAX`].
    pub params: &'static [Param],
    /// Names of its values, in the order of [`super::Values`].
    pub outputs: &'static [&'static str],
    /// Makes one; parameters in units of 1 / [`Param::scale`], zero beyond `params`. Checks ranges.
    pub build: fn(&[i64; PARAMS_MAX]) -> Result<AnyIndicator, ParamError>,
}

/// An indicator and all its parameters: equal keys over the same input are the same values, so compute one of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IndicatorSpecKey {
    /// [`IndicatorSpec::name`].
    pub name: &'static str,
    /// In the order of [`IndicatorSpec::params`], in units of 1 / [`Param::scale`] (Bollinger's deviations are in
    /// thousandths); zero beyond them.
    pub params: [i64; PARAMS_MAX],
}

/// Why an indicator cannot be made.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ParamError {
    /// No such indicator.
    #[error("no indicator is named {name:?}; there are {}", names(REGISTRY.iter().map(|s| s.name)))]
    UnknownIndicator {
        /// What was asked for.
        name: String,
    },
    /// No such parameter.
    #[error("{indicator} has no parameter {name:?}; it has {}", names(params_of(indicator)))]
    UnknownParam {
        /// Whose.
        indicator: &'static str,
        /// What was given.
        name: String,
    },
    /// Beyond what the parameter allows.
    #[error("{indicator}: {param} must be {min} to {max}{}, not {value}", in_units(*scale, *min, *max))]
    OutOfRange {
        /// Whose.
        indicator: &'static str,
        /// Which.
        param: &'static str,
        /// The smallest allowed.
        min: f64,
        /// The largest allowed.
        max: f64,
        /// What was given.
        value: f64,
        /// [`Param::scale`].
        scale: i64,
    },
    /// Finer than the parameter is kept.
    #[error("{indicator}: {param} must be a multiple of {step}, not {value}")]
    TooFine {
        /// Whose.
        indicator: &'static str,
        /// Which.
        param: &'static str,
        /// The smallest difference.
        step: f64,
        /// What was given.
        value: f64,
    },
}

/// The same range as code gives it, where that is not as it is written.
fn in_units(scale: i64, min: f64, max: f64) -> String {
    match scale {
        1 => String::new(),
        _ => format!(" (in thousandths {} to {})", min * scale as f64, max * scale as f64),
    }
}

fn names(all: impl Iterator<Item = &'static str>) -> String {
    all.collect::<Vec<_>>().join(", ")
}

fn params_of(indicator: &str) -> impl Iterator<Item = &'static str> {
    find(indicator).into_iter().flat_map(|spec| spec.params).map(|param| param.name)
}

/// The indicator of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static IndicatorSpec> {
    REGISTRY.iter().find(|spec| spec.name == name)
}

/// A stored parameter as the constructors take it; what does not fit becomes a number that every range refuses.
pub(super) fn period(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

impl IndicatorSpec {
    /// Checks stored values, in the order of `params`, against their ranges.
    pub(super) fn check(&self, values: &[i64]) -> Result<(), ParamError> {
        for (param, &value) in self.params.iter().zip(values) {
            if !(param.min..=param.max).contains(&value) {
                return Err(self.out_of_range(param, param.shown(value)));
            }
        }
        Ok(())
    }

    fn out_of_range(&self, param: &Param, value: f64) -> ParamError {
        let (min, max) = (param.shown(param.min), param.shown(param.max));
        ParamError::OutOfRange {
            indicator: self.name,
            param: param.name,
            min,
            max,
            value,
            scale: param.scale,
        }
    }

    /// The key with every parameter at its default.
    #[must_use]
    pub fn default_key(&self) -> IndicatorSpecKey {
        let mut params = [0; PARAMS_MAX];
        for (stored, param) in params.iter_mut().zip(self.params) {
            *stored = param.default;
        }
        IndicatorSpecKey { name: self.name, params }
    }

    /// The key of this indicator with the parameters `given` by name, as a person writes them, the rest at their
    /// defaults; of a name given twice the last counts.
    ///
    /// # Errors
    /// [`ParamError`] for an unknown name, or a value out of range or finer than is kept.
    pub fn key(&self, given: &[(&str, f64)]) -> Result<IndicatorSpecKey, ParamError> {
        let mut key = self.default_key();
        for &(name, value) in given {
            let place = self.params.iter().position(|param| param.name == name);
            let Some(place) = place.filter(|&place| place < PARAMS_MAX) else {
                return Err(ParamError::UnknownParam { indicator: self.name, name: name.to_owned() });
            };
            let param = &self.params[place];
            if !(param.shown(param.min)..=param.shown(param.max)).contains(&value) {
                return Err(self.out_of_range(param, value));
            }
            let units = value * param.scale as f64;
            // 1.001 × 1000 is not a whole number in f64; nothing that near to one was meant otherwise.
            if (units - units.round()).abs() > 1e-6 {
                let step = param.shown(1);
                return Err(ParamError::TooFine { indicator: self.name, param: param.name, step, value });
            }
            key.params[place] = units.round() as i64;
        }
        Ok(key)
    }
}

impl IndicatorSpecKey {
    /// Makes the indicator; allocates its window here and never after.
    ///
    /// # Errors
    /// [`ParamError`] where the key did not come from [`IndicatorSpec::key`] and is wrong.
    pub fn build(&self) -> Result<AnyIndicator, ParamError> {
        let spec =
            find(self.name).ok_or_else(|| ParamError::UnknownIndicator { name: self.name.to_owned() })?;
        spec.check(&self.params)?;
        (spec.build)(&self.params)
    }
}

/// As in `sma(20)` and `bollinger(20,2.5)`.
impl fmt::Display for IndicatorSpecKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let params = find(self.name).map_or(&[][..], |spec| spec.params);
        write!(f, "{}(", self.name)?;
        for (n, (param, &value)) in params.iter().zip(&self.params).enumerate() {
            write!(f, "{}{}", if n > 0 { "," } else { "" }, param.shown(value))?;
        }
        write!(f, ")")
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Indicator, OUTPUTS_MAX};
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_table_is_consistent() {
        let mut seen = HashSet::new();
        for spec in REGISTRY {
            assert!(seen.insert(spec.name), "{} twice", spec.name);
            assert!(spec.params.len() <= PARAMS_MAX && (1..=OUTPUTS_MAX).contains(&spec.outputs.len()));
            let key = spec.default_key();
            assert_eq!(spec.key(&[]), Ok(key.clone()));
            assert!(key.build().unwrap().warm_up() > 0);
            for (n, param) in spec.params.iter().enumerate() {
                for bad in [param.min - 1, param.max + 1, i64::MIN, i64::MAX] {
                    let mut key = key.clone();
                    key.params[n] = bad;
                    let refused = key.build().unwrap_err();
                    assert!(matches!(refused, ParamError::OutOfRange { param: p, .. } if p == param.name));
                    assert!((spec.build)(&key.params).is_err(), "{} builds {bad}", spec.name);
                }
            }
        }
    }

    #[test]
    fn what_a_person_writes_becomes_a_comparable_key() {
        let bollinger = find("bollinger").unwrap();
        let key = bollinger.key(&[("deviations", 2.001)]).unwrap();
        assert_eq!(key, IndicatorSpecKey { name: "bollinger", params: [20, 2001, 0, 0] });
        assert_eq!(key.to_string(), "bollinger(20,2.001)");
        assert_eq!(find("macd").unwrap().default_key().to_string(), "macd(12,26,9)");
        assert_eq!(bollinger.key(&[("period", 20.0), ("deviations", 2.0)]), Ok(bollinger.default_key()));
    }

    #[test]
    fn a_number_of_wholes_where_thousandths_are_asked_for_is_refused() {
        for (name, params, param) in
            [("bollinger", [20, 2, 0, 0], "deviations"), ("keltner", [20, 10, 3, 0], "ranges")]
        {
            let refused = IndicatorSpecKey { name, params }.build().unwrap_err().to_string();
            let expected =
                format!("{name}: {param} must be 0.1 to 100 (in thousandths 100 to 100000), not 0.00");
            assert!(refused.starts_with(&expected), "{refused}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_what_was_expected() {
        let sma = find("sma").unwrap();
        let told = |given| sma.key(&[given]).unwrap_err().to_string();
        assert_eq!(told(("period", 0.0)), "sma: period must be 1 to 100000, not 0");
        assert_eq!(told(("period", f64::NAN)), "sma: period must be 1 to 100000, not NaN");
        assert_eq!(told(("period", 2.5)), "sma: period must be a multiple of 1, not 2.5");
        assert_eq!(told(("lenght", 2.0)), "sma has no parameter \"lenght\"; it has period");
        let unknown = IndicatorSpecKey { name: "smma", params: [0; PARAMS_MAX] }.build().unwrap_err();
        let told = unknown.to_string();
        assert!(told.starts_with("no indicator is named \"smma\"; there are sma, ema, "), "{told}");
        assert!(REGISTRY.iter().all(|spec| told.contains(spec.name)), "{told}");
    }
}
