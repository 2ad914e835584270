//! Tables as text.

use super::table::{Column, ColumnKind, Value};
use super::{Sheet, SheetFault};
use crate::domain::decimal::{Scaled, write};
use std::fs::File;
use std::io::{self, BufWriter, Write};

/// See the module.
pub(super) struct CsvSheet {
    out: BufWriter<File>,
    columns: Vec<Column>,
    line: Vec<u8>,
}

impl CsvSheet {
    pub fn new(mut out: BufWriter<File>, columns: &[Column]) -> io::Result<Self> {
        let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
        writeln!(out, "{}", names.join(","))?;
        Ok(Self { out, columns: columns.to_vec(), line: Vec::new() })
    }
}

impl Sheet for CsvSheet {
    fn row(&mut self, values: &[Value]) -> Result<(), SheetFault> {
        self.line.clear();
        for (column, value) in self.columns.iter().zip(values) {
            match value {
                Value::Text(text) => self.line.extend_from_slice(text.as_bytes()),
                Value::Missing => {}
                Value::Wide(units) => {
                    write!(self.line, "{}", Scaled { value: *units, decimals: column.decimals })?;
                }
                // Ids and times are unsigned.
                Value::Number(units) if matches!(column.kind, ColumnKind::Integer | ColumnKind::Time) => {
                    write!(self.line, "{}", *units as u64)?;
                }
                Value::Number(units) => {
                    let mut digits = [0; 40];
                    let n = write(*units, column.decimals, &mut digits);
                    self.line.extend_from_slice(&digits[..n]);
                }
            }
            self.line.push(b',');
        }
        if let Some(last) = self.line.last_mut() {
            *last = b'\n';
        }
        Ok(self.out.write_all(&self.line)?)
    }

    fn finish(self: Box<Self>) -> Result<BufWriter<File>, SheetFault> {
        Ok(self.out)
    }
}
