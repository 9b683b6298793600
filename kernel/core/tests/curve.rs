//! Curve25519 against the vectors of RFC 7748.

use hanse_kernel::curve::ladder;
use hanse_kernel::field25519::Element;

fn x25519(scalar: &str, u: &str) -> String {
    let mut scalar = bytes(scalar);
    scalar[0] &= 248;
    scalar[31] = scalar[31] & 127 | 64;
    let (x, z) = ladder(Element::from_bytes(&bytes(u)), &scalar);
    hex(&(x * z.inverse()).to_bytes())
}

fn bytes(hex: &str) -> [u8; 32] {
    std::array::from_fn(|index| {
        u8::from_str_radix(&hex[2 * index..2 * index + 2], 16).expect("hexadecimal")
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_two_vectors_of_rfc_7748_hold() {
    for (scalar, u, expected) in [
        (
            "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
            "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
        ),
        (
            "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
            "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
            "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
        ),
    ] {
        assert_eq!(x25519(scalar, u), expected);
    }
}
