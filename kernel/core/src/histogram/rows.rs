//! The rows of a host's matrix: which samples of a feature are in which cell.

use rayon::prelude::*;

use super::Refusal;
use crate::parameters::{LEAST_MARGIN, Parameters};

/// The code of a missing value.
const MISSING: usize = 255;

/// Most samples and features that are hashed at once.
const DIGEST_CHUNK: usize = 1 << 20;

/// A host's binned columns, as the caller describes them.
///
/// The *cells* of a feature are its codes 0 … bins − 1 in order and then, if `missing` says so, one cell for code 255. Each
/// cell but the omitted one is a row.
#[derive(Clone, Copy)]
pub struct Columns<'a> {
    /// Feature by feature, one code a sample.
    pub codes: &'a [u8],
    /// Value codes of each feature, 1 to 255.
    pub bins: &'a [i32],
    /// Whether a feature has a cell for missing values.
    pub missing: &'a [u8],
    /// The cell of each feature that is not a row; `bins` stands for the one of missing values.
    pub omitted: &'a [i32],
}

/// The rows in wire order, and where every sample lies.
pub(super) struct Rows {
    /// Rows of feature f are `starts[f]..starts[f + 1]`.
    pub starts: Vec<usize>,
    /// Feature by feature: the number of a sample's row within its feature; the number of rows for the omitted cell.
    pub slots: Vec<u8>,
    pub largest: usize,
}

impl Rows {
    /// Checks the description and lists the rows.
    pub fn list(
        parameters: &Parameters,
        columns: Columns<'_>,
        samples: usize,
    ) -> Result<Self, Refusal> {
        let features = columns.bins.len();
        let mut slots = vec![0u8; columns.codes.len()];
        let described: Vec<(usize, usize)> = slots
            .par_chunks_mut(samples)
            .enumerate()
            .map(|(feature, slots)| list_feature(parameters, columns, feature, samples, slots))
            .collect::<Result<_, _>>()?;
        let mut starts = Vec::with_capacity(features + 1);
        starts.push(0);
        for (feature, (count, _)) in described.iter().enumerate() {
            starts.push(starts[feature] + count);
        }
        let largest = described.iter().map(|(_, largest)| *largest).max();
        if starts[features] == 0 {
            return invalid("no feature has a second cell, so there is no row to set up".into());
        }
        let largest = largest.unwrap_or(0);
        let margin = parameters.margin(largest);
        if margin < LEAST_MARGIN {
            return invalid(format!(
                "{} leaves {margin:.2} standard deviations for a row of {largest} samples, fewer than {LEAST_MARGIN}",
                parameters.name
            ));
        }
        Ok(Self {
            starts,
            slots,
            largest,
        })
    }

    pub fn count(&self) -> usize {
        self.starts[self.starts.len() - 1]
    }

    pub fn features(&self) -> usize {
        self.starts.len() - 1
    }

    /// Rows of one feature.
    pub fn of(&self, feature: usize) -> usize {
        self.starts[feature + 1] - self.starts[feature]
    }

    /// The slots of one feature.
    pub fn column(&self, feature: usize) -> &[u8] {
        let samples = self.slots.len() / self.features();
        &self.slots[feature * samples..][..samples]
    }
}

fn invalid<T>(text: String) -> Result<T, Refusal> {
    Err(Refusal::Invalid(text))
}

/// Samples, when codes and description are of one shape.
pub(super) fn count_samples(columns: Columns<'_>) -> Result<usize, Refusal> {
    let features = columns.bins.len();
    let shaped = features > 0
        && columns.omitted.len() == features
        && columns.missing.len() == features
        && columns.codes.len().is_multiple_of(features);
    if !shaped {
        return invalid("codes, bins, missing and omitted must describe the same features".into());
    }
    Ok(columns.codes.len() / features)
}

/// Fills the slots of one feature; returns how many rows it has and the samples of its largest row.
fn list_feature(
    parameters: &Parameters,
    columns: Columns<'_>,
    feature: usize,
    samples: usize,
    slots: &mut [u8],
) -> Result<(usize, usize), Refusal> {
    let (bins, omitted) = (columns.bins[feature], columns.omitted[feature]);
    if !(1..=255).contains(&bins) {
        return invalid(format!(
            "feature {feature} has {bins} bins; 1 to 255 are possible"
        ));
    }
    let missing = columns.missing[feature] != 0;
    let cells = bins + i32::from(missing);
    if !(0..cells).contains(&omitted) {
        return invalid(format!(
            "feature {feature} omits bin {omitted}, which is not one of its {cells} cells"
        ));
    }
    let codes = &columns.codes[feature * samples..][..samples];
    let mut counts = [0usize; 256];
    codes
        .iter()
        .for_each(|code| counts[usize::from(*code)] += 1);
    let known = |code: usize| code < bins as usize || (missing && code == MISSING);
    if let Some(code) = (0..256).find(|code| counts[*code] > 0 && !known(*code)) {
        return invalid(if code == MISSING {
            format!("feature {feature} has missing values (code 255) but no cell for them")
        } else {
            format!("feature {feature} has code {code} but only {bins} bins")
        });
    }
    let rows = cells as usize - 1;
    let mut slot_of = [rows as u8; 256];
    let (mut largest, mut next) = (0, 0);
    for cell in (0..cells).filter(|cell| *cell != omitted) {
        let (code, name) = if cell == bins {
            (MISSING, "missing values".to_string())
        } else {
            (cell as usize, format!("bin {cell}"))
        };
        let most = parameters.max_row_samples();
        if counts[code] > most {
            return invalid(format!(
                "row of feature {feature}, {name} has {} samples; {} takes at most {most} a row",
                counts[code], parameters.name
            ));
        }
        largest = largest.max(counts[code]);
        slot_of[code] = next;
        // the last of at most 255 rows may wrap, and is not used any more
        next = next.wrapping_add(1);
    }
    for (slot, code) in slots.iter_mut().zip(codes) {
        *slot = slot_of[usize::from(*code)];
    }
    Ok((rows, largest))
}

/// A digest of everything that defines the rows and their order.
pub(super) fn digest(columns: Columns<'_>) -> [u8; 32] {
    let of_codes: Vec<[u8; 32]> = columns
        .codes
        .par_chunks(DIGEST_CHUNK)
        .map(|chunk| *blake3::hash(chunk).as_bytes())
        .collect();
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(columns.codes.len() as u64).to_le_bytes());
    of_codes.iter().for_each(|chunk| {
        hasher.update(chunk);
    });
    for numbers in [columns.bins, columns.omitted] {
        hasher.update(&(numbers.len() as u64).to_le_bytes());
        numbers.iter().for_each(|number| {
            hasher.update(&number.to_le_bytes());
        });
    }
    columns.missing.iter().for_each(|flag| {
        hasher.update(&[u8::from(*flag != 0)]);
    });
    *hasher.finalize().as_bytes()
}
