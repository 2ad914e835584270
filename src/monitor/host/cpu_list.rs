//! The kernel's list notation for cores: `0-3,8` is cores 0, 1, 2, 3 and 8.

use std::fmt::Write;

/// Core numbers from here up are taken for nonsense, so that `0-4294967295` costs no memory. Linux is built for at
/// most 8,192.
const CORES_MAX: usize = 8_192;

/// The cores of a list, ascending and distinct. Pieces that are not numbers or ranges (`managed_irq`, `(null)`) are
/// passed over, as are impossible ones (`5-2`).
#[must_use]
pub fn parse(list: &str) -> Vec<usize> {
    let mut cores: Vec<usize> = list.split(',').filter_map(piece).flatten().collect();
    cores.sort_unstable();
    cores.dedup();
    cores
}

fn piece(text: &str) -> Option<std::ops::RangeInclusive<usize>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.trim().parse::<usize>().ok()?, last.trim().parse::<usize>().ok()?);
    (last < CORES_MAX).then_some(first..=last)
}

/// The list of ascending, distinct cores, in the kernel's notation; empty for none.
#[must_use]
pub fn format(cores: &[usize]) -> String {
    let mut text = String::new();
    for run in cores.chunk_by(|a, b| a + 1 == *b) {
        let separator = if text.is_empty() { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = match run {
            [first, .., last] => write!(text, "{separator}{first}-{last}"),
            [only] => write!(text, "{separator}{only}"),
            [] => Ok(()),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_written_as_the_kernel_does() {
        for (text, cores) in
            [("0", vec![0]), ("0-3", vec![0, 1, 2, 3]), ("0-1,4,6-7", vec![0, 1, 4, 6, 7]), ("", vec![])]
        {
            assert_eq!(parse(text), cores, "{text}");
            assert_eq!(format(&cores), text);
        }
    }

    #[test]
    fn nonsense_is_passed_over() {
        assert_eq!(parse("managed_irq,domain,2-3\n"), [2, 3]);
        assert_eq!(parse("(null)\n"), [0; 0]);
        assert_eq!(parse("5-2,-,--,1-,-1,0-4294967295,99999999999999999999,7"), [7]);
        assert_eq!(parse("3,1-3,2"), [1, 2, 3]);
    }
}
