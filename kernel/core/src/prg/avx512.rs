//! ChaCha20 (RFC 8439), sixteen blocks at a time: word i of every block in one register.

use std::arch::x86_64::*;

/// Words of 64 bits that [`fill`] writes at a time.
pub(super) const BATCH: usize = 128;

/// "expand 32-byte k".
const CONSTANT: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];

/// Four quarter rounds side by side.
macro_rules! quarters {
    ($v:ident; $($a:literal $b:literal $c:literal $d:literal),*) => {
        quarters!(@half $v, 16, 12; $($a $b $c $d),*);
        quarters!(@half $v, 8, 7; $($a $b $c $d),*);
    };
    (@half $v:ident, $first:literal, $second:literal; $($a:literal $b:literal $c:literal $d:literal),*) => {
        $( $v[$a] = _mm512_add_epi32($v[$a], $v[$b]); )*
        $( $v[$d] = _mm512_rol_epi32::<$first>(_mm512_xor_si512($v[$d], $v[$a])); )*
        $( $v[$c] = _mm512_add_epi32($v[$c], $v[$d]); )*
        $( $v[$b] = _mm512_rol_epi32::<$second>(_mm512_xor_si512($v[$b], $v[$c])); )*
    };
}

/// The words of sixteen blocks, from block `counter` on.
#[target_feature(enable = "avx512f")]
pub(super) fn fill(key: &[u32; 8], counter: u32, nonce: &[u32; 3], out: &mut [u64; BATCH]) {
    let spread = |word: u32| _mm512_set1_epi32(word as i32);
    let lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    let mut first = [_mm512_setzero_si512(); 16];
    for (line, word) in first.iter_mut().zip(CONSTANT) {
        *line = spread(word);
    }
    for (line, word) in first[4..].iter_mut().zip(key) {
        *line = spread(*word);
    }
    first[12] = _mm512_add_epi32(spread(counter), lanes);
    for (line, word) in first[13..].iter_mut().zip(nonce) {
        *line = spread(*word);
    }
    let mut v = first;
    for _ in 0..10 {
        quarters!(v; 0 4 8 12, 1 5 9 13, 2 6 10 14, 3 7 11 15);
        quarters!(v; 0 5 10 15, 1 6 11 12, 2 7 8 13, 3 4 9 14);
    }
    for (line, first) in v.iter_mut().zip(first) {
        *line = _mm512_add_epi32(*line, first);
    }
    write(&v, out);
}

/// Lines to blocks: a transposition of 16×16 words of 32 bits.
#[inline]
#[target_feature(enable = "avx512f")]
fn write(v: &[__m512i; 16], out: &mut [u64; BATCH]) {
    // quads[j][i] has, in its quarter q, words 4i … 4i + 3 of block 4q + j
    let mut quads = [[_mm512_setzero_si512(); 4]; 4];
    for (index, [e, f, g, h]) in v.as_chunks::<4>().0.iter().enumerate() {
        let (a, b) = (_mm512_unpacklo_epi32(*e, *f), _mm512_unpackhi_epi32(*e, *f));
        let (c, d) = (_mm512_unpacklo_epi32(*g, *h), _mm512_unpackhi_epi32(*g, *h));
        quads[0][index] = _mm512_unpacklo_epi64(a, c);
        quads[1][index] = _mm512_unpackhi_epi64(a, c);
        quads[2][index] = _mm512_unpacklo_epi64(b, d);
        quads[3][index] = _mm512_unpackhi_epi64(b, d);
    }
    let blocks = out.as_chunks_mut::<8>().0;
    for (place, [a, b, c, d]) in quads.into_iter().enumerate() {
        let even = (
            _mm512_shuffle_i64x2::<0x88>(a, b),
            _mm512_shuffle_i64x2::<0x88>(c, d),
        );
        let odd = (
            _mm512_shuffle_i64x2::<0xdd>(a, b),
            _mm512_shuffle_i64x2::<0xdd>(c, d),
        );
        let quarters = [
            _mm512_shuffle_i64x2::<0x88>(even.0, even.1),
            _mm512_shuffle_i64x2::<0x88>(odd.0, odd.1),
            _mm512_shuffle_i64x2::<0xdd>(even.0, even.1),
            _mm512_shuffle_i64x2::<0xdd>(odd.0, odd.1),
        ];
        for (quarter, line) in quarters.into_iter().enumerate() {
            let block = &mut blocks[4 * quarter + place];
            // SAFETY: a block is eight words
            unsafe { _mm512_storeu_si512(block.as_mut_ptr().cast(), line) };
        }
    }
}
