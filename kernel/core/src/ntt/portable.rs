//! Transforms in words of 64 bits.

use super::{Factor, Transform, multiply_lazy, slot, subtract_once};

/// Coefficients (below 4p) to values (below 4p), in place.
pub(super) fn forward(transform: &Transform, data: &mut [u64]) {
    let (prime, twice) = (transform.prime, 2 * transform.prime);
    let butterfly = |x: &mut u64, y: &mut u64, factor: Factor| {
        let upper = subtract_once(*x, twice);
        let lower = multiply_lazy(*y, factor, prime);
        *x = upper + lower;
        *y = upper + twice - lower;
    };
    let mut half = data.len() / 2;
    let mut groups = 1;
    while half >= 4 {
        for (block, factor) in data
            .chunks_exact_mut(2 * half)
            .zip(&transform.forward[groups..])
        {
            let (left, right) = block.split_at_mut(half);
            for (x, y) in left.iter_mut().zip(right) {
                butterfly(x, y, *factor);
            }
        }
        half /= 2;
        groups *= 2;
    }
    // the last two layers in one pass
    let (outer, inner) = (
        &transform.forward[groups..2 * groups],
        transform.forward[2 * groups..].as_chunks::<2>().0,
    );
    for (([a, b, c, d], first), second) in
        data.as_chunks_mut::<4>().0.iter_mut().zip(outer).zip(inner)
    {
        butterfly(a, c, *first);
        butterfly(b, d, *first);
        butterfly(a, b, second[0]);
        butterfly(c, d, second[1]);
    }
    exchange(data);
}

/// From bit-reversed order to that of [`slot`], and back.
fn exchange(data: &mut [u64]) {
    for index in 0..data.len() {
        let other = slot(index, data.len());
        if index < other {
            data.swap(index, other);
        }
    }
}

/// Values (below 2p) to coefficients (below 2p), in place, **times N**: see [`Transform::degree_inverse`].
pub(super) fn inverse_unscaled(transform: &Transform, data: &mut [u64]) {
    exchange(data);
    let (prime, twice) = (transform.prime, 2 * transform.prime);
    let butterfly = |x: &mut u64, y: &mut u64, factor: Factor| {
        let (upper, lower) = (*x, *y);
        *x = subtract_once(upper + lower, twice);
        *y = multiply_lazy(upper + twice - lower, factor, prime);
    };
    let mut groups = data.len() / 2;
    let (inner, outer) = (
        transform.inverse[groups..].as_chunks::<2>().0,
        &transform.inverse[groups / 2..groups],
    );
    for (([a, b, c, d], first), second) in
        data.as_chunks_mut::<4>().0.iter_mut().zip(inner).zip(outer)
    {
        butterfly(a, b, first[0]);
        butterfly(c, d, first[1]);
        butterfly(a, c, *second);
        butterfly(b, d, *second);
    }
    let mut half = 4;
    groups /= 4;
    while groups >= 1 {
        for (block, factor) in data
            .chunks_exact_mut(2 * half)
            .zip(&transform.inverse[groups..])
        {
            let (left, right) = block.split_at_mut(half);
            for (x, y) in left.iter_mut().zip(right) {
                butterfly(x, y, *factor);
            }
        }
        half *= 2;
        groups /= 2;
    }
}
