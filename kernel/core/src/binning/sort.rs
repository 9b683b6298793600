//! Numbers in rising order, by radix: linear in the number of rows, with no comparison.

const DIGIT_BITS: u32 = 11;
const DIGITS: usize = 64usize.div_ceil(DIGIT_BITS as usize);
const VALUES: usize = 1 << DIGIT_BITS;

/// Below so many numbers the passes over the counters cost more than comparisons.
const SMALL: usize = 4096;

/// The numbers that are not missing, ascending; −0 is 0.
pub(super) fn present(column: &[f64]) -> Vec<f64> {
    let mut keys: Vec<u64> = column
        .iter()
        .filter(|number| !number.is_nan())
        .map(|&number| key(number + 0.0))
        .collect();
    if keys.len() < SMALL {
        keys.sort_unstable();
    } else {
        sort(&mut keys);
    }
    keys.into_iter().map(number).collect()
}

/// The place behind the last number of each run of equal ones.
pub(super) fn ends_of_runs(sorted: &[f64]) -> Vec<u32> {
    let steps = sorted.windows(2).enumerate();
    let inner = steps.filter(|(_, pair)| pair[0] < pair[1]);
    let inner = inner.map(|(place, _)| place as u32 + 1);
    inner
        .chain((!sorted.is_empty()).then_some(sorted.len() as u32))
        .collect()
}

/// Unsigned integers in the order of the numbers.
fn key(number: f64) -> u64 {
    let bits = number.to_bits();
    bits ^ ((bits as i64 >> 63) as u64 | 1 << 63)
}

fn number(key: u64) -> f64 {
    let negative = !((key as i64 >> 63) as u64);
    f64::from_bits(key ^ (negative | 1 << 63))
}

fn digit(key: u64, place: usize) -> usize {
    (key >> (place as u32 * DIGIT_BITS)) as usize & (VALUES - 1)
}

/// Least digit first; a digit in which all keys agree needs no pass.
fn sort(keys: &mut Vec<u64>) {
    let mut counts = vec![[0u32; VALUES]; DIGITS];
    for &key in keys.iter() {
        for (place, counts) in counts.iter_mut().enumerate() {
            counts[digit(key, place)] += 1;
        }
    }
    let mut other = vec![0; keys.len()];
    for (place, counts) in counts.iter_mut().enumerate() {
        if counts.iter().any(|&count| count as usize == keys.len()) {
            continue;
        }
        let mut start = 0;
        for count in counts.iter_mut() {
            start += std::mem::replace(count, start);
        }
        for &key in keys.iter() {
            let next = &mut counts[digit(key, place)];
            other[*next as usize] = key;
            *next += 1;
        }
        std::mem::swap(keys, &mut other);
    }
}
