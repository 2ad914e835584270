//! Splits and dividends: factors by day, applied to prices and volumes where asked.
//!
//! A row of the file is a day, the factor of prices for dividends, that for splits, and the day's price. It holds for
//! days after the row before it, up to its own. An adjusted price is price × both factors, rounded half to even at
//! eight decimals; an adjusted size is size / split factor, rounded to whole shares.

use super::fault::{ImportError, RowFault};
use super::input::BYTE_ORDER_MARK;
use super::number::divide;
use crate::domain::decimal::{POW10, parse};
use crate::history::segment::Num;
use std::path::Path;

/// Decimals of an adjusted price.
const PRICE_DECIMALS: u8 = 8;
/// Decimals that factors are read with.
const FACTOR_DECIMALS: u8 = 12;

/// Factors of a stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Factors {
    /// Last day it holds for (as 20131007), factor for dividends, factor for splits, in units of 10^-12.
    rows: Vec<(u32, i64, i64)>,
}

impl Factors {
    /// Reads the factors of `symbol`, which `wanted_by` is of: `path` itself, or `<path>/<symbol>.csv` where that is a
    /// directory.
    pub fn read(path: &Path, symbol: &str, wanted_by: &Path) -> Result<Self, ImportError> {
        let path =
            if path.is_dir() { path.join(format!("{}.csv", symbol.to_lowercase())) } else { path.to_owned() };
        let text = std::fs::read_to_string(&path).map_err(|error| {
            let factors = path.display();
            let remedy = "import it without --adjust, or say where they are";
            ImportError::file(
                wanted_by,
                format!("has no factors to adjust it by: {factors}: {error}; {remedy}"),
            )
        })?;
        let mut rows: Vec<(u32, i64, i64)> = Vec::new();
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text);
        for (line, number) in text.lines().zip(1..) {
            let bad = || {
                let problem = format!(
                    "line {number}: is not a day, two factors above zero and a price, in order of days"
                );
                ImportError::file(&path, problem)
            };
            if line.trim().is_empty() {
                continue;
            }
            let mut fields = line.trim().split(',');
            let mut next = || fields.next().ok_or_else(bad);
            let day = next()?;
            let day = if day.len() == 8 { day.parse().map_err(|_| bad())? } else { return Err(bad()) };
            let mut factor = || parse(next()?.as_bytes(), FACTOR_DECIMALS).map_err(|_| bad());
            let (dividends, splits) = (factor()?, factor()?);
            if dividends <= 0 || splits <= 0 || rows.last().is_some_and(|(last, ..)| *last >= day) {
                return Err(bad());
            }
            rows.push((day, dividends, splits));
        }
        if rows.is_empty() {
            return Err(ImportError::file(&path, "has no factors"));
        }
        Ok(Self { rows })
    }

    /// Whether a file reads as factors.
    pub fn are_in(path: &Path) -> bool {
        path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"))
            && Self::read(path, "", path).is_ok()
    }

    /// The factors of a day; after the last one they are one.
    pub fn of(&self, day: u32) -> Factor {
        let at = self.rows.partition_point(|(last, ..)| *last < day);
        let one = POW10[usize::from(FACTOR_DECIMALS)];
        let (dividends, splits) = self.rows.get(at).map_or((one, one), |(_, d, s)| (*d, *s));
        Factor { dividends: dividends.into(), splits: splits.into() }
    }
}

/// The factors of one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Factor {
    dividends: i128,
    splits: i128,
}

impl Factor {
    /// An adjusted price.
    pub fn price(self, price: Num) -> Result<Num, RowFault> {
        // In units of 10^-(decimals + 24): fits for prices up to 10^14 units.
        let product =
            i128::from(price.units).checked_mul(self.dividends).and_then(|p| p.checked_mul(self.splits));
        let shift = u32::from(2 * FACTOR_DECIMALS + price.decimals - PRICE_DECIMALS);
        let units = product.map(|p| divide(p, 10i128.pow(shift))).and_then(|p| i64::try_from(p).ok());
        let large = RowFault::Large { column: "price", text: price.units.to_string() };
        Ok(Num::new(units.ok_or(large)?, PRICE_DECIMALS))
    }

    /// An adjusted size, in whole shares.
    pub fn size(self, size: Num) -> Result<Num, RowFault> {
        let large = || RowFault::Large { column: "volume", text: size.units.to_string() };
        let one = i128::from(POW10[usize::from(FACTOR_DECIMALS)]);
        let by = self.splits * i128::from(POW10[usize::from(size.decimals)]);
        let units = divide(i128::from(size.units).checked_mul(one).ok_or_else(large)?, by);
        Ok(Num::new(i64::try_from(units).map_err(|_| large())?, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_holds_up_to_its_day_and_prices_and_sizes_follow_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("abc.csv");
        std::fs::write(&path, "20000620,0.9,0.1,101\n20050225,0.95,0.5,88\n20501231,1,1,0\n")
            .expect("written");
        let factors = Factors::read(dir.path(), "ABC", Path::new("abc.zip")).expect("read");
        let price = |day, units| factors.of(day).price(Num::new(units, 4)).expect("fits");
        assert_eq!(price(20_000_620, 1_000_000), Num::new(900_000_000, 8));
        assert_eq!(price(20_000_621, 1_000_000), Num::new(4_750_000_000, 8));
        assert_eq!(price(20_200_101, 1_000_000), Num::new(10_000_000_000, 8));
        assert_eq!(factors.of(20_000_101).size(Num::new(7, 0)), Ok(Num::new(70, 0)));
        std::fs::write(&path, "20000620,0.9,0.1,1\n20000620,1,1,1\n").expect("written");
        let error = Factors::read(&path, "ABC", Path::new("abc.zip")).expect_err("twice").to_string();
        assert!(error.contains("line 2"), "{error}");
        let error =
            Factors::read(dir.path(), "XYZ", Path::new("daily/xyz.zip")).expect_err("none").to_string();
        assert!(error.starts_with("daily/xyz.zip: has no factors") && error.contains("xyz.csv"), "{error}");
    }
}
