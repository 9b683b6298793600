//! Columns of texts, end to end: text `i` is `data[offsets[i]..offsets[i + 1]]`.

use rayon::prelude::*;

/// Rows that one task copies at a time.
const PIECE: usize = 1 << 14;

/// Writes where each taken text begins into `out`, which has one place more than `rows`: its last is the size of all.
///
/// # Errors
/// The place in `rows` of the first row that is not there.
///
/// # Panics
/// When `out` has not one place more than `rows`.
pub fn take_offsets(offsets: &[i64], rows: &[i64], out: &mut [i64]) -> Result<(), usize> {
    assert_eq!(out.len(), rows.len() + 1, "one offset more than rows");
    let lengths = |(piece, (out, rows)): (usize, (&mut [i64], &[i64]))| {
        for (place, (out, row)) in out.iter_mut().zip(rows).enumerate() {
            match text(offsets, *row) {
                Some((start, end)) => *out = end - start,
                None => return Some(piece * PIECE + place),
            }
        }
        None
    };
    let pieces = out[1..]
        .par_chunks_mut(PIECE)
        .zip(rows.par_chunks(PIECE))
        .enumerate();
    if let Some(place) = pieces.filter_map(lengths).min() {
        return Err(place);
    }
    out[0] = 0;
    let mut end = 0;
    for out in &mut out[1..] {
        end += *out;
        *out = end;
    }
    Ok(())
}

/// Copies the texts of `rows` into `out`, in that order; `out_offsets` are what `take_offsets` wrote for these rows.
///
/// # Panics
/// When the offsets do not fit the rows, `data` or `out`.
pub fn take(data: &[u8], offsets: &[i64], rows: &[i64], out_offsets: &[i64], out: &mut [u8]) {
    assert_eq!(
        out_offsets.len(),
        rows.len() + 1,
        "one offset more than rows"
    );
    let mut rest = out;
    let mut pieces = Vec::with_capacity(rows.len() / PIECE + 1);
    for (piece, rows) in rows.chunks(PIECE).enumerate() {
        let first = piece * PIECE;
        let size = out_offsets[first + rows.len()] - out_offsets[first];
        let (out, after) = rest.split_at_mut(size as usize);
        pieces.push((rows, out));
        rest = after;
    }
    assert!(rest.is_empty(), "room for the taken texts and no more");
    pieces.into_par_iter().for_each(|(rows, mut out)| {
        for row in rows {
            let (start, end) = text(offsets, *row).expect("a row that take_offsets found");
            let (place, after) = out.split_at_mut((end - start) as usize);
            place.copy_from_slice(&data[start as usize..end as usize]);
            out = after;
        }
    });
}

#[inline(always)]
fn text(offsets: &[i64], row: i64) -> Option<(i64, i64)> {
    let row = usize::try_from(row).ok()?;
    Some((*offsets.get(row)?, *offsets.get(row.checked_add(1)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(texts: &[String]) -> (Vec<u8>, Vec<i64>) {
        let mut offsets = vec![0];
        for text in texts {
            offsets.push(offsets[offsets.len() - 1] + text.len() as i64);
        }
        (texts.concat().into_bytes(), offsets)
    }

    #[test]
    fn texts_are_taken_in_any_order_across_pieces_and_may_repeat() {
        let texts: Vec<_> = (0..50_000)
            .map(|row| "x".repeat(row % 7) + &row.to_string())
            .collect();
        let (data, offsets) = pack(&texts);
        let rows: Vec<_> = (0..70_000_i64)
            .map(|place| (place * 7_919) % 50_000)
            .collect();
        let mut found = vec![0; rows.len() + 1];
        take_offsets(&offsets, &rows, &mut found).unwrap();
        let mut out = vec![0; found[rows.len()] as usize];
        take(&data, &offsets, &rows, &found, &mut out);
        let wanted: Vec<_> = rows
            .iter()
            .map(|row| texts[*row as usize].clone())
            .collect();
        assert_eq!(pack(&wanted), (out, found));
    }

    #[test]
    fn the_first_row_that_is_not_there_is_named() {
        let (_, offsets) = pack(&vec!["ab".into(); 40_000]);
        let mut rows = vec![39_999; 40_000];
        let mut found = vec![0; rows.len() + 1];
        assert_eq!(take_offsets(&offsets, &rows, &mut found), Ok(()));
        for bad in [40_000, -1, i64::MAX, i64::MIN] {
            (rows[20_000], rows[39_000]) = (bad, bad);
            assert_eq!(take_offsets(&offsets, &rows, &mut found), Err(20_000));
        }
    }

    #[test]
    fn no_row_of_no_text_is_taken() {
        let mut found = [7];
        assert_eq!(take_offsets(&[0], &[], &mut found), Ok(()));
        take(&[], &[0], &[], &found, &mut []);
        assert_eq!(found, [0]);
    }
}
