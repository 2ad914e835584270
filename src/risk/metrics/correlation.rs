//! Symmetric matrices of instruments by instruments.

/// A symmetric matrix.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Matrix {
    size: usize,
    values: Vec<f64>,
}

impl Matrix {
    /// The products of all pairs of `rows`, each of `length` values, divided by `by`.
    pub(super) fn of_products(rows: &[f64], length: usize, by: f64) -> Self {
        let size = rows.len().checked_div(length).unwrap_or(0);
        let mut values = vec![0.0; size * size];
        for i in 0..size {
            let a = &rows[i * length..(i + 1) * length];
            for j in i..size {
                let b = &rows[j * length..(j + 1) * length];
                let product = dot(a, b) / by;
                values[i * size + j] = product;
                values[j * size + i] = product;
            }
        }
        Self { size, values }
    }

    /// How many rows, and columns.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// The value of a pair; zero outside.
    #[must_use]
    pub fn get(&self, i: usize, j: usize) -> f64 {
        if i < self.size && j < self.size { self.values[i * self.size + j] } else { 0.0 }
    }

    /// Sets the value of a pair that is in it.
    pub(super) fn set(&mut self, i: usize, j: usize, value: f64) {
        self.values[i * self.size + j] = value;
        self.values[j * self.size + i] = value;
    }

    /// Weights times matrix times weights; missing weights are zero.
    #[must_use]
    pub fn quadratic(&self, weights: &[f64]) -> f64 {
        let rows = self.values.chunks_exact(self.size.max(1)).zip(weights);
        rows.map(|(row, weight)| weight * row.iter().zip(weights).map(|(v, w)| v * w).sum::<f64>()).sum()
    }

    /// Of covariances, the correlations: 1 with itself, 0 with what does not move.
    #[must_use]
    pub fn correlation(&self) -> Self {
        let deviations: Vec<f64> = (0..self.size).map(|i| self.get(i, i).max(0.0).sqrt()).collect();
        let mut values = self.values.clone();
        for (i, row) in values.chunks_exact_mut(self.size.max(1)).enumerate() {
            for (j, value) in row.iter_mut().enumerate() {
                let both = deviations[i] * deviations[j];
                *value = match both > 0.0 {
                    _ if i == j => 1.0,
                    true => (*value / both).clamp(-1.0, 1.0),
                    false => 0.0,
                };
            }
        }
        Self { size: self.size, values }
    }
}

/// A sum of products, in eight lanes that a processor can run at once.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    const LANES: usize = 8;
    let mut lanes = [0.0f64; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f64 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a_chunks.zip(b_chunks) {
        for ((lane, x), y) in lanes.iter_mut().zip(x).zip(y) {
            *lane += x * y;
        }
    }
    lanes.iter().sum::<f64>() + rest
}
