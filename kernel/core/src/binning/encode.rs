//! The code of each number: how many edges lie below it.

use super::{Bins, MAX_BINS};

/// Numbers searched side by side, so that the steps of their searches overlap.
const ABREAST: usize = 16;

/// Writes the code of each number. The search takes the same steps for all, without a branch on data.
///
/// # Panics
/// When there are other numbers of codes, or more than 253 edges.
pub fn encode(column: &[f64], bins: &Bins, codes: &mut [u8]) {
    assert_eq!(column.len(), codes.len(), "a code for each number");
    assert!(bins.edges.len() < MAX_BINS, "more than 254 bins");
    match bins.edges.len() {
        0..4 => search::<2>(column, bins, codes),
        4..8 => search::<3>(column, bins, codes),
        8..16 => search::<4>(column, bins, codes),
        16..32 => search::<5>(column, bins, codes),
        32..64 => search::<6>(column, bins, codes),
        64..128 => search::<7>(column, bins, codes),
        _ => search::<8>(column, bins, codes),
    }
}

/// Fewer than 2^STEPS edges.
fn search<const STEPS: u32>(column: &[f64], bins: &Bins, codes: &mut [u8]) {
    let mut edges = [f64::INFINITY; 256];
    edges[..bins.edges.len()].copy_from_slice(&bins.edges);
    let (numbers, last_numbers) = column.as_chunks::<ABREAST>();
    let (places, last_places) = codes.as_chunks_mut::<ABREAST>();
    for (numbers, codes) in numbers.iter().zip(places) {
        search_abreast::<STEPS>(&edges, bins.missing, numbers, codes);
    }
    let mut numbers = [0.0; ABREAST];
    let mut codes = [0; ABREAST];
    numbers[..last_numbers.len()].copy_from_slice(last_numbers);
    search_abreast::<STEPS>(&edges, bins.missing, &numbers, &mut codes);
    last_places.copy_from_slice(&codes[..last_places.len()]);
}

#[inline(always)]
fn search_abreast<const STEPS: u32>(
    edges: &[f64; 256],
    missing: u8,
    numbers: &[f64; ABREAST],
    codes: &mut [u8; ABREAST],
) {
    let mut found = [0u8; ABREAST];
    for step in (0..STEPS).rev() {
        let half = 1u8 << step;
        for (found, number) in found.iter_mut().zip(numbers) {
            // a missing value is above no edge
            let above = edges[usize::from(*found + (half - 1))] < *number;
            *found += half * u8::from(above);
        }
    }
    for ((code, found), number) in codes.iter_mut().zip(found).zip(numbers) {
        *code = if number.is_nan() { missing } else { found };
    }
}
