//! The data of the comparison: trades and minute bars made up from a fixed seed, the same numbers for everybody.
//!
//! Prices wander by hundredths; times come in clumps. Arrays have whole numbers: ms, hundredths, thousandths.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

struct Rng(u64);

impl Rng {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % n
    }
}

/// A table of 64-bit integers as NumPy keeps it (its format 1.0).
struct Array {
    out: BufWriter<File>,
}

impl Array {
    fn create(path: &Path, rows: u64, columns: usize) -> io::Result<Self> {
        let mut out = BufWriter::new(File::create(path)?);
        let mut head = format!("{{'descr': '<i8', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
        // Magic, version and length are ten bytes; the whole head is a multiple of 64, a new line at its end.
        while (10 + head.len() + 1) % 64 != 0 {
            head.push(' ');
        }
        head.push('\n');
        out.write_all(b"\x93NUMPY\x01\x00")?;
        out.write_all(&u16::try_from(head.len()).unwrap_or(u16::MAX).to_le_bytes())?;
        out.write_all(head.as_bytes())?;
        Ok(Self { out })
    }

    fn row(&mut self, values: &[u64]) -> io::Result<()> {
        values.iter().try_for_each(|value| self.out.write_all(&value.to_le_bytes()))
    }
}

/// Writes trades and bars into `dir`.
pub fn make(dir: &Path, trades: u64, bars: u64) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    make_trades(dir, trades)?;
    make_bars(dir, bars)
}

/// Columns: id, ms, price, quantity, whether the buyer was the maker.
fn make_trades(dir: &Path, rows: u64) -> io::Result<()> {
    let mut text = BufWriter::new(File::create(dir.join("BTCUSDT-trades-2024-08-08.csv"))?);
    let mut array = Array::create(&dir.join("trades.npy"), rows, 5)?;
    let (mut rng, mut ms, mut price) = (Rng(7), 1_723_075_200_000u64, 6_100_000u64);
    for id in 1..=rows {
        if rng.below(3) == 0 {
            ms += rng.below(60);
        }
        price = (price + rng.below(21) - 10).max(1_000_000);
        let (qty, sold) = (1 + rng.below(5_000), rng.below(2));
        let flag = if sold == 1 { "true" } else { "false" };
        writeln!(text, "{id},{},{},0,{ms},{flag}", decimal(price, 2), decimal(qty, 3))?;
        array.row(&[id, ms, price, qty, sold])?;
    }
    text.flush()?;
    array.out.flush()
}

/// Columns: beginning in ms, open, high, low, close, volume.
fn make_bars(dir: &Path, rows: u64) -> io::Result<()> {
    let mut text = BufWriter::new(File::create(dir.join("BTCUSDT-1m-2020.csv"))?);
    let mut array = Array::create(&dir.join("bars.npy"), rows, 6)?;
    let (mut rng, mut close) = (Rng(11), 6_100_000u64);
    for minute in 0..rows {
        let begin = 1_577_836_800_000 + minute * 60_000;
        let open = close;
        close = (open + rng.below(2_001) - 1_000).max(1_000_000);
        let (high, low) = (open.max(close) + rng.below(300), open.min(close) - rng.below(300));
        let volume = 1 + rng.below(50_000);
        let [o, h, l, c] = [open, high, low, close].map(|price| decimal(price, 2));
        let end = begin + 59_999;
        writeln!(text, "{begin},{o},{h},{l},{c},{},{end},0,1,0,0,0", decimal(volume, 3))?;
        array.row(&[begin, open, high, low, close, volume])?;
    }
    text.flush()?;
    array.out.flush()
}

fn decimal(units: u64, decimals: usize) -> String {
    let unit = 10u64.pow(decimals as u32);
    format!("{}.{:0decimals$}", units / unit, units % unit)
}
