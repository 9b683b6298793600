//! What the cells of a text column are: missing, whole numbers, numbers, texts.

use std::ops::Add;

use rayon::prelude::*;

/// Cells that one task looks at.
const PIECE: usize = 1 << 14;

/// Longest number that is called one without further ado, and the greatest exponent: neither overflows nor vanishes.
const NUMBER_BYTES: usize = 40;
const EXPONENT: u32 = 200;

/// How many cells of a column are what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Not empty, spaces aside.
    pub filled: u64,
    /// Finite decimal numbers; among them whole ones of 64 bits, written without fraction and exponent.
    pub numbers: u64,
    pub wholes: u64,
    /// No number in anybody's reading.
    pub texts: u64,
    /// Neither surely a number nor surely none: infinities, NaN, very long, very large, very small.
    pub doubtful: u64,
    /// With spaces at an end, or nothing but spaces.
    pub padded: u64,
}

impl Add for Survey {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            filled: self.filled + other.filled,
            numbers: self.numbers + other.numbers,
            wholes: self.wholes + other.wholes,
            texts: self.texts + other.texts,
            doubtful: self.doubtful + other.doubtful,
            padded: self.padded + other.padded,
        }
    }
}

/// What one cell is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    Whole,
    Number,
    Text,
    Doubtful,
}

/// Looks at cells end to end: cell `i` is `data[offsets[i]..offsets[i + 1]]`.
///
/// # Panics
/// When the offsets do not fit `data`.
pub fn survey(data: &[u8], offsets: &[i64]) -> Survey {
    let count = offsets.len() - 1;
    let pieces = (0..count).into_par_iter().step_by(PIECE);
    let of_piece = |first: usize| {
        let mut found = Survey::default();
        for ends in offsets[first..=count.min(first + PIECE)].windows(2) {
            add(&mut found, &data[ends[0] as usize..ends[1] as usize]);
        }
        found
    };
    pieces.map(of_piece).reduce(Survey::default, Add::add)
}

#[inline(always)]
fn add(found: &mut Survey, cell: &[u8]) {
    let trimmed = trim(cell);
    found.padded += u64::from(trimmed.len() < cell.len());
    if trimmed.is_empty() {
        return;
    }
    found.filled += 1;
    match classify(trimmed) {
        Cell::Whole => {
            found.wholes += 1;
            found.numbers += 1;
        }
        Cell::Number => found.numbers += 1,
        Cell::Text => found.texts += 1,
        Cell::Doubtful => found.doubtful += 1,
    }
}

/// Takes space, tab, line feed, vertical tab, form feed and carriage return from both ends.
#[inline(always)]
pub fn trim(mut text: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | 9..=13);
    while let [first, rest @ ..] = text
        && is_space(first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && is_space(last)
    {
        text = rest;
    }
    text
}

/// Says what a trimmed cell that is not empty is.
pub fn classify(cell: &[u8]) -> Cell {
    let signed = cell
        .strip_prefix(b"-")
        .or_else(|| cell.strip_prefix(b"+"))
        .unwrap_or(cell);
    let (whole, rest) = digits(signed);
    let (fraction, rest, is_pointed) = match rest.strip_prefix(b".") {
        Some(after) => {
            let (fraction, rest) = digits(after);
            (fraction, rest, true)
        }
        None => (&rest[..0], rest, false),
    };
    if whole.is_empty() && fraction.is_empty() {
        return without_digits(signed);
    }
    if cell.len() > NUMBER_BYTES {
        return if rest.is_empty() {
            Cell::Doubtful
        } else {
            after_digits(rest)
        };
    }
    match rest {
        [] if is_pointed => Cell::Number,
        [] => as_whole(cell),
        [b'e' | b'E', exponent @ ..] => with_exponent(exponent),
        _ => after_digits(rest),
    }
}

fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit());
    text.split_at(end.unwrap_or(text.len()))
}

fn as_whole(cell: &[u8]) -> Cell {
    let fits =
        cell.len() <= 18 || str::from_utf8(cell).is_ok_and(|text| text.parse::<i64>().is_ok());
    if fits { Cell::Whole } else { Cell::Number }
}

fn with_exponent(text: &[u8]) -> Cell {
    let unsigned = match text {
        [b'+' | b'-', rest @ ..] => rest,
        _ => text,
    };
    let (exponent, rest) = digits(unsigned);
    let value = str::from_utf8(exponent).map(str::parse::<u32>);
    match value {
        Ok(Ok(value)) if rest.is_empty() && value <= EXPONENT => Cell::Number,
        _ => Cell::Doubtful,
    }
}

/// A cell whose first character, its sign aside, is no digit.
fn without_digits(signed: &[u8]) -> Cell {
    let begins = |word: &[u8; 3]| {
        signed
            .get(..3)
            .is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    match signed.first() {
        None | Some(b'+' | b'-' | b'.') => Cell::Doubtful,
        Some(_) if begins(b"nan") || begins(b"inf") => Cell::Doubtful,
        Some(_) => Cell::Text,
    }
}

/// A cell that begins as a number and goes on with `rest`: no number, unless letters may give it another base or an
/// exponent that is written oddly.
fn after_digits(rest: &[u8]) -> Cell {
    match rest[0] {
        b'e' | b'E' | b'x' | b'X' | b'b' | b'B' | b'o' | b'O' => Cell::Doubtful,
        _ => Cell::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_what_they_look_like() {
        let of = |text: &str| classify(text.as_bytes());
        for text in [
            "0",
            "-1",
            "+3",
            "007",
            "-0",
            "9223372036854775807",
            "-9223372036854775808",
        ] {
            assert_eq!(of(text), Cell::Whole, "{text}");
        }
        for text in [
            "9223372036854775808",
            "1.",
            ".5",
            "-0.0",
            "1e5",
            "1.5E-200",
            "1e+07",
        ] {
            assert_eq!(of(text), Cell::Number, "{text}");
        }
        for text in [
            "two",
            "1_000",
            "1,5",
            "2024-01-05",
            "1.2.3",
            "12:30",
            "1 2",
            "张",
            "5%",
            "12a",
            "_1",
            "ann",
        ] {
            assert_eq!(of(text), Cell::Text, "{text}");
        }
        let digits = "1".repeat(41);
        for text in [
            "nan", "-Inf", "infinity", "1e400", "5e-324", "0x10", "1e", "-", ".", "+-5", "--1",
            &digits,
        ] {
            assert_eq!(of(text), Cell::Doubtful, "{text}");
        }
    }

    #[test]
    fn a_number_is_one_to_the_standard_library_too() {
        let letters = b"019+-.eE_ x";
        let mut cell = vec![0; 5];
        for number in 0..letters.len().pow(5) {
            let mut rest = number;
            for byte in &mut cell {
                *byte = letters[rest % letters.len()];
                rest /= letters.len();
            }
            let text = str::from_utf8(&cell).unwrap();
            let value = text.parse::<f64>();
            match classify(&cell) {
                Cell::Whole => assert!(text.parse::<i64>().is_ok(), "{text}"),
                Cell::Number => assert!(value.unwrap().is_finite(), "{text}"),
                Cell::Text => assert!(value.is_err(), "{text}"),
                Cell::Doubtful => {}
            }
        }
    }

    #[test]
    fn the_survey_of_many_cells_is_the_sum_of_each() {
        let cells = [
            "1",
            "",
            "  ",
            " 2.5",
            "word",
            "nan",
            "9223372036854775808\t",
        ];
        let (mut data, mut offsets) = (Vec::new(), vec![0]);
        for place in 0..cells.len() * 10_000 {
            data.extend_from_slice(cells[place % cells.len()].as_bytes());
            offsets.push(data.len() as i64);
        }
        let wanted = Survey {
            filled: 50_000,
            numbers: 30_000,
            wholes: 10_000,
            texts: 10_000,
            doubtful: 10_000,
            padded: 30_000,
        };
        assert_eq!(survey(&data, &offsets), wanted);
        assert_eq!(survey(&[], &[0]), Survey::default());
    }
}
