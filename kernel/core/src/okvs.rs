//! An oblivious key-value store: a vector P of which a short, key-dependent linear combination gives each key its value, and
//! which tells nothing else about the keys when the values are random.
//!
//! `docs/protocols/okvs.md` has the construction, its parameters and what is known about its failures. In short: the keys, 16-byte
//! digests, are spread over clusters; a key's row has three ones among the slots of its cluster, and powers x, x², … of an
//! element of GF(2^64) in a few dense columns that all clusters share. Everything of a row comes from one keyed hash of the
//! digest.

mod decode;
mod element;
mod encode;
mod layout;
mod linear;
mod repair;
mod rows;
mod solve;

pub use decode::{decode, decode_on, receiver_tags, receiver_tags_on, sender_tags, sender_tags_on};
pub use encode::{encode, encode_on, encode_values, encode_values_on};
pub use layout::Layout;

/// Bytes of a key: a digest.
pub const DIGEST_SIZE: usize = 16;

/// The rows under this hash key have no common solution, or too many keys fell into one cluster. Another hash key helps,
/// unless a key was given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodingFailed;

impl std::fmt::Display for EncodingFailed {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("the rows under this key have no common solution")
    }
}

impl std::error::Error for EncodingFailed {}
