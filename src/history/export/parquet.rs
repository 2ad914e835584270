//! Tables as Parquet files: flat columns, plain values, one page a column and row group, packed by gzip.
//!
//! Owns: the little of Parquet and of Thrift's compact protocol that this takes. By the format's specification
//! (apache/parquet-format, `parquet.thrift`); what it writes is read by pyarrow and by DuckDB.

use super::table::{Column, ColumnKind, Value};
use super::{Sheet, SheetFault};
use crate::domain::decimal::POW10;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::File;
use std::io::{self, BufWriter, Write};

const MAGIC: &[u8; 4] = b"PAR1";
/// Rows of a row group: what is held in memory.
const GROUP_ROWS: u64 = 1 << 18;

// Physical types.
const INT64: i64 = 2;
const BYTE_ARRAY: i64 = 6;
const FIXED_BYTES: i64 = 7;
/// Bytes of a notional.
const WIDE_BYTES: i64 = 16;
// Converted types.
const UTF8: i64 = 0;
const DECIMAL: i64 = 5;
// Encodings and codecs.
const PLAIN: i64 = 0;
const RLE: i64 = 3;
const GZIP: i64 = 2;

/// Where a column of a row group lies.
struct Chunk {
    offset: i64,
    packed: i64,
    unpacked: i64,
}

/// See the module.
pub(super) struct ParquetSheet {
    out: BufWriter<File>,
    at: i64,
    columns: Vec<Column>,
    /// The current group's values, by column.
    values: Vec<Vec<u8>>,
    /// Of its optional columns: runs of rows that have a value, or have none.
    runs: Vec<Vec<(bool, u64)>>,
    rows: u64,
    groups: Vec<(u64, Vec<Chunk>)>,
}

impl ParquetSheet {
    pub fn new(mut out: BufWriter<File>, columns: Vec<Column>) -> io::Result<Self> {
        out.write_all(MAGIC)?;
        let (values, runs) = (vec![Vec::new(); columns.len()], vec![Vec::new(); columns.len()]);
        Ok(Self { out, at: MAGIC.len() as i64, columns, values, runs, rows: 0, groups: Vec::new() })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.at += bytes.len() as i64;
        self.out.write_all(bytes)
    }

    fn flush_group(&mut self) -> io::Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut chunks = Vec::new();
        let mut all = std::mem::take(&mut self.values);
        let mut runs = std::mem::take(&mut self.runs);
        for (values, runs) in all.iter_mut().zip(&mut runs) {
            let levels = definition_levels(runs);
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            gzip.write_all(&levels)?;
            gzip.write_all(values)?;
            let packed = gzip.finish()?;
            let unpacked = (levels.len() + values.len()) as i64;
            let mut head = Thrift::default();
            head.int(1, 0).int(2, unpacked).int(3, packed.len() as i64);
            head.begin(5).int(1, self.rows as i64).int(2, PLAIN).int(3, RLE).int(4, RLE).end();
            let head = head.finish();
            let (offset, sizes) = (self.at, head.len() as i64);
            self.write(&head)?;
            self.write(&packed)?;
            chunks.push(Chunk { offset, packed: sizes + packed.len() as i64, unpacked: sizes + unpacked });
            values.clear();
            runs.clear();
        }
        (self.values, self.runs) = (all, runs);
        self.groups.push((self.rows, chunks));
        self.rows = 0;
        Ok(())
    }

    fn footer(&self) -> Vec<u8> {
        let mut meta = Thrift::default();
        meta.int(1, 1).list(2, STRUCT, self.columns.len() + 1);
        meta.element().text(4, "rows").int(5, self.columns.len() as i64).end();
        for column in &self.columns {
            schema(column, &mut meta);
        }
        let rows: u64 = self.groups.iter().map(|(rows, _)| rows).sum();
        meta.long(3, rows as i64).list(4, STRUCT, self.groups.len());
        for (rows, chunks) in &self.groups {
            meta.element().list(1, STRUCT, chunks.len());
            for (chunk, column) in chunks.iter().zip(&self.columns) {
                meta.element().long(2, chunk.offset);
                meta.begin(3).int(1, physical(column)).list(2, INT, 1).item(PLAIN).list(3, BINARY, 1);
                meta.item_text(column.name).int(4, GZIP).long(5, *rows as i64);
                meta.long(6, chunk.unpacked).long(7, chunk.packed).long(9, chunk.offset).end();
                meta.end();
            }
            let bytes = chunks.iter().map(|chunk| chunk.unpacked).sum();
            meta.long(2, bytes).long(3, *rows as i64).end();
        }
        meta.text(6, concat!("algo-trader version ", env!("CARGO_PKG_VERSION")));
        meta.finish()
    }
}

impl Sheet for ParquetSheet {
    fn row(&mut self, values: &[Value]) -> Result<(), SheetFault> {
        let outputs = self.values.iter_mut().zip(&mut self.runs);
        for ((column, value), (out, runs)) in self.columns.iter().zip(values).zip(outputs) {
            if column.optional {
                let there = *value != Value::Missing;
                match runs.last_mut() {
                    Some((of, rows)) if *of == there => *rows += 1,
                    _ => runs.push((there, 1)),
                }
            }
            match value {
                Value::Missing => debug_assert!(column.optional, "{} must have a value", column.name),
                Value::Number(units) => {
                    let decimal = matches!(column.kind, ColumnKind::Price | ColumnKind::Qty);
                    if decimal && units.unsigned_abs() >= POW10[18].unsigned_abs() {
                        return Err(SheetFault::Digits(column.name));
                    }
                    out.extend_from_slice(&units.to_le_bytes());
                }
                // Decimals of fixed length are big-endian.
                Value::Wide(units) => out.extend_from_slice(&units.to_be_bytes()),
                Value::Text(text) => {
                    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
                    out.extend_from_slice(text.as_bytes());
                }
            }
        }
        self.rows += 1;
        if self.rows == GROUP_ROWS {
            self.flush_group()?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<BufWriter<File>, SheetFault> {
        self.flush_group()?;
        let footer = self.footer();
        self.write(&footer)?;
        self.write(&(footer.len() as u32).to_le_bytes())?;
        self.write(MAGIC)?;
        Ok(self.out)
    }
}

/// Which rows of an optional column have a value: runs, of one bit each, behind their length in bytes. Nothing for a
/// column that every row has a value in, of which no run is kept.
fn definition_levels(runs: &[(bool, u64)]) -> Vec<u8> {
    if runs.is_empty() {
        return Vec::new();
    }
    let mut levels = Thrift::default();
    for &(there, rows) in runs {
        levels.varint(rows << 1);
        levels.out.push(u8::from(there));
    }
    [&(levels.out.len() as u32).to_le_bytes(), &levels.out[..]].concat()
}

fn physical(column: &Column) -> i64 {
    match column.kind {
        ColumnKind::Text => BYTE_ARRAY,
        ColumnKind::Notional => FIXED_BYTES,
        ColumnKind::Time | ColumnKind::Integer | ColumnKind::Price | ColumnKind::Qty => INT64,
    }
}

/// A column's element of the schema: type, length, required or optional, name, and what its values mean.
fn schema(column: &Column, meta: &mut Thrift) {
    meta.element().int(1, physical(column));
    if column.kind == ColumnKind::Notional {
        meta.int(2, WIDE_BYTES);
    }
    meta.int(3, column.optional.into()).text(4, column.name);
    match column.kind {
        ColumnKind::Text => {
            meta.int(6, UTF8);
        }
        ColumnKind::Price | ColumnKind::Qty => {
            meta.int(6, DECIMAL).int(7, column.decimals.into()).int(8, 18);
        }
        ColumnKind::Notional => {
            meta.int(6, DECIMAL).int(7, column.decimals.into()).int(8, 38);
        }
        // Logical type, timestamp: adjusted to UTC, in nanoseconds.
        ColumnKind::Time => {
            meta.begin(10).begin(8).flag(1, true).begin(2).begin(3).end().end().end().end();
        }
        ColumnKind::Integer => {}
    }
    meta.end();
}

// Types of Thrift's compact protocol.
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const INT: u8 = 5;
const LONG: u8 = 6;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// Writes a struct of Thrift's compact protocol, field by field.
#[derive(Debug, Default)]
struct Thrift {
    out: Vec<u8>,
    /// The last field's number in each struct that is open within the outermost.
    open: Vec<i64>,
    outermost: i64,
}

impl Thrift {
    fn field(&mut self, number: i64, kind: u8) {
        let last = self.open.last_mut().unwrap_or(&mut self.outermost);
        // Numbers here rise by less than 16.
        self.out.push(((number - *last) as u8) << 4 | kind);
        *last = number;
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }

    fn int(&mut self, number: i64, value: i64) -> &mut Self {
        self.field(number, INT);
        self.item(value)
    }

    fn long(&mut self, number: i64, value: i64) -> &mut Self {
        self.field(number, LONG);
        self.item(value)
    }

    fn flag(&mut self, number: i64, value: bool) -> &mut Self {
        self.field(number, if value { TRUE } else { FALSE });
        self
    }

    fn text(&mut self, number: i64, value: &str) -> &mut Self {
        self.field(number, BINARY);
        self.item_text(value)
    }

    /// A list of `len` items of a type, which follow.
    fn list(&mut self, number: i64, of: u8, len: usize) -> &mut Self {
        self.field(number, LIST);
        if len < 15 {
            self.out.push((len as u8) << 4 | of);
        } else {
            self.out.push(0xf0 | of);
            self.varint(len as u64);
        }
        self
    }

    fn item(&mut self, value: i64) -> &mut Self {
        self.varint((value << 1 ^ value >> 63) as u64);
        self
    }

    fn item_text(&mut self, value: &str) -> &mut Self {
        self.varint(value.len() as u64);
        self.out.extend_from_slice(value.as_bytes());
        self
    }

    /// A field that is a struct, until [`end`](Self::end).
    fn begin(&mut self, number: i64) -> &mut Self {
        self.field(number, STRUCT);
        self.element()
    }

    /// An item that is a struct, until [`end`](Self::end).
    fn element(&mut self) -> &mut Self {
        self.open.push(0);
        self
    }

    fn end(&mut self) -> &mut Self {
        self.open.pop();
        self.out.push(0);
        self
    }

    fn finish(mut self) -> Vec<u8> {
        self.out.push(0);
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_rows_have_a_value_is_told_in_runs_as_the_format_has_them() {
        // By Parquet's RLE: a run is its length shifted by one, as a varint, and the level in as many bytes as it needs.
        assert_eq!(definition_levels(&[]), b"");
        assert_eq!(definition_levels(&[(true, 3)]), b"\x02\0\0\0\x06\x01");
        assert_eq!(definition_levels(&[(false, 1), (true, 200)]), b"\x05\0\0\0\x02\0\x90\x03\x01");
    }
}
