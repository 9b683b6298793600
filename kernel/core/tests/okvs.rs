//! What is encoded is decoded, on every path, at every size.

use hanse_kernel::gf128;
use hanse_kernel::okvs::{self, Layout};
use hanse_kernel::simd::{self, Path};

const KEY: [u8; 32] = *b"a hash key that both parties see";
const SEED: [u8; 32] = *b"a seed that one party keeps dark";

/// Distinct digests, as good as random.
fn digests(count: usize, label: u64) -> Vec<u8> {
    let each = |row| {
        let mut hasher = blake3::Hasher::new();
        hasher
            .update(&label.to_le_bytes())
            .update(&u64::to_le_bytes(row));
        hasher.finalize().as_bytes()[..16].to_vec()
    };
    (0..count as u64).flat_map(each).collect()
}

fn encoded(path: Path, digests: &[u8], layout: &Layout) -> Vec<u8> {
    let mut out = vec![0; layout.size() * layout.width()];
    okvs::encode_on(path, digests, &KEY, layout, &SEED, &mut out).expect("a solution");
    out
}

fn decoded(path: Path, elements: &[u8], digests: &[u8], layout: &Layout) -> Vec<u8> {
    let mut out = vec![0; digests.len() / 16 * layout.width()];
    okvs::decode_on(path, elements, digests, &KEY, layout, &mut out);
    out
}

/// The hash of a digest as a value, from its definition.
fn target(digest: &[u8], width: usize) -> Vec<u8> {
    let mut block = [0; 48];
    blake3::Hasher::new_keyed(&KEY)
        .update(digest)
        .finalize_xof()
        .fill(&mut block);
    let first = if width == 8 { 24 } else { 32 };
    block[first..first + width].to_vec()
}

fn targets(digests: &[u8], width: usize) -> Vec<u8> {
    let targets = digests.chunks(16).map(|digest| target(digest, width));
    targets.flatten().collect()
}

#[test]
fn every_number_of_keys_decodes_to_the_hashes_of_the_keys() {
    for count in (1..=300).chain([1000, 4097, 20_000]) {
        for width in [8, 16] {
            let layout = Layout::new(count, width).expect("a layout");
            let keys = digests(count, count as u64);
            let elements = encoded(simd::path(), &keys, &layout);
            let values = decoded(simd::path(), &elements, &keys, &layout);
            assert!(
                values == targets(&keys, width),
                "{count} keys, {width} bytes"
            );
        }
    }
}

#[test]
fn ten_thousand_small_encodings_all_succeed() {
    for count in [2, 12, 30, 77, 200] {
        let layout = Layout::new(count, 8).expect("a layout");
        let mut out = vec![0; layout.size() * 8];
        let keys = digests(count * 2000, 20);
        for keys in keys.chunks(count * 16) {
            okvs::encode(keys, &KEY, &layout, &SEED, &mut out).expect("a solution");
            assert!(decoded(simd::path(), &out, &keys[..32], &layout) == targets(&keys[..32], 8));
        }
    }
}

#[test]
fn sizes_around_the_edges_of_clusters_and_pieces_work() {
    for count in [
        16_383, 16_384, 16_385, 49_151, 49_152, 81_919, 81_920, 100_003,
    ] {
        let layout = Layout::new(count, 8).expect("a layout");
        let keys = digests(count, 1);
        let elements = encoded(simd::path(), &keys, &layout);
        assert!(
            decoded(simd::path(), &elements, &keys, &layout) == targets(&keys, 8),
            "{count}"
        );
    }
}

#[test]
fn every_path_gives_the_same_bytes() {
    for (count, width) in [(777, 8), (777, 16), (60_000, 8), (60_000, 16)] {
        let layout = Layout::new(count, width).expect("a layout");
        let (keys, others) = (digests(count, 2), digests(1001, 3));
        let elements = encoded(Path::Portable, &keys, &layout);
        let values = decoded(Path::Portable, &elements, &others, &layout);
        for path in simd::available() {
            assert!(encoded(path, &keys, &layout) == elements, "{path:?}");
            assert!(
                decoded(path, &elements, &others, &layout) == values,
                "{path:?}"
            );
        }
    }
}

#[test]
fn other_values_than_the_hashes_can_be_encoded() {
    for width in [8, 16] {
        let layout = Layout::new(50_000, width).expect("a layout");
        // fewer keys than there is room for
        let keys = digests(40_000, 4);
        let values: Vec<u8> = (0..40_000 * width)
            .map(|place| (place % 253) as u8)
            .collect();
        for path in simd::available() {
            let mut out = vec![0; layout.size() * width];
            okvs::encode_values_on(path, &keys, &values, &KEY, &layout, &SEED, &mut out)
                .expect("a solution");
            assert!(decoded(path, &out, &keys, &layout) == values, "{path:?}");
        }
    }
}

#[test]
fn keys_that_were_not_encoded_decode_to_something_else() {
    let layout = Layout::new(2000, 8).expect("a layout");
    let elements = encoded(simd::path(), &digests(2000, 5), &layout);
    let others = digests(2000, 6);
    let values = decoded(simd::path(), &elements, &others, &layout);
    let hashes = targets(&others, 8);
    assert!(values.chunks(8).zip(hashes.chunks(8)).all(|(a, b)| a != b));
}

#[test]
fn the_seed_changes_every_element_and_the_number_of_threads_none() {
    let layout = Layout::new(70_000, 8).expect("a layout");
    let keys = digests(70_000, 7);
    let elements = encoded(simd::path(), &keys, &layout);
    let mut other = vec![0; elements.len()];
    okvs::encode(&keys, &KEY, &layout, &[9; 32], &mut other).expect("a solution");
    let same = elements
        .chunks(8)
        .zip(other.chunks(8))
        .filter(|(a, b)| a == b);
    assert_eq!(same.count(), 0);
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("a pool");
        assert!(pool.install(|| encoded(simd::path(), &keys, &layout)) == elements);
    }
}

#[test]
fn one_key_twice_with_two_values_has_no_encoding() {
    let layout = Layout::new(100, 8).expect("a layout");
    let mut keys = digests(100, 8);
    keys.copy_within(..16, 16);
    let values: Vec<u8> = (0..800).map(|place| place as u8).collect();
    let mut out = vec![0; layout.size() * 8];
    let outcome = okvs::encode_values(&keys, &values, &KEY, &layout, &SEED, &mut out);
    assert_eq!(outcome, Err(okvs::EncodingFailed));
}

/// The whole oblivious PRF, the vector oblivious linear evaluation dealt by the test: A and B random, C = B + Δ·A.
#[test]
fn both_parties_get_the_same_tags_for_shared_keys_and_for_no_others() {
    for width in [8, 16] {
        let layout = Layout::new(3000, width).expect("a layout");
        let (mine, theirs) = (
            digests(3000, 9),
            [digests(1000, 9), digests(500, 10)].concat(),
        );
        let p = encoded(simd::path(), &mine, &layout);
        let (a, b) = (digests(layout.size(), 11), digests(layout.size(), 12));
        let delta: [u8; 16] = digests(1, 13).try_into().expect("16 bytes");
        let wide = |bytes: &[u8]| gf128::from_bytes(bytes.try_into().expect("16 bytes"));
        let narrow = |place: usize| {
            let mut element = [0; 16];
            element[..width].copy_from_slice(&a[16 * place..][..width]);
            wide(&element)
        };
        let c: Vec<u8> = (0..layout.size())
            .flat_map(|place| {
                let product = gf128::multiply(narrow(place), wide(&delta));
                gf128::to_bytes(gf128::add(wide(&b[16 * place..][..16]), product))
            })
            .collect();
        let sent: Vec<u8> = (0..layout.size() * width)
            .map(|octet| p[octet] ^ a[octet / width * 16 + octet % width])
            .collect();
        let mut first = None;
        for path in simd::available() {
            let (mut guest, mut host) = (vec![0; 3000 * 16], vec![0; 1500 * 16]);
            okvs::receiver_tags_on(path, &c, &mine, &KEY, &layout, &[5; 32], &mut guest);
            okvs::sender_tags_on(
                path,
                &b,
                &delta,
                Some(&sent),
                &theirs,
                &KEY,
                &layout,
                &[5; 32],
                &mut host,
            );
            assert!(host[..1000 * 16] == guest[..1000 * 16], "{path:?}");
            let known: std::collections::HashSet<&[u8]> = guest.chunks(16).collect();
            assert_eq!(known.len(), 3000);
            assert!(host[1000 * 16..].chunks(16).all(|tag| !known.contains(tag)));
            let tags = (guest, host);
            assert!(*first.get_or_insert(tags.clone()) == tags, "{path:?}");
        }
    }
}
