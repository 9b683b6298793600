//! Oblivious transfer extension: from 128 base transfers to any number of correlated ones.
//!
//! SoftSpokenOT (Roy, "SoftSpokenOT: quieter OT extension from small-field silent VOLE in the Minicrypt model", CRYPTO
//! 2022, eprint 2022/192) over GF(2). The *sender* of the correlation has a secret Δ ∈ {0,1}^128 and gets q_i, the
//! *receiver* has bits c_i and gets t_i = q_i ⊕ c_i·Δ. They meet here in one reply:
//!
//! 1. The bits of Δ are cut into groups of [`Shape::depth`]. The receiver grows one tree a group; its base transfers let
//!    the sender, who chose by Δ, know every leaf but the one at its own bits ([`trees`]).
//! 2. Streams from the leaves, summed with the bits of the leaf's place as weights, differ between the two by Δ times
//!    the sum u of all of them ([`columns`]); the receiver sends u ⊕ c, which moves the difference to Δ·c.
//! 3. Bits are transposed: columns belong to bits of Δ, rows to transfers.
//!
//! A receiver that cheats can send trees that do not open, or other choices to other groups. With [`Shape::checked`] it also
//! proves that it did neither ([`reply::Reply`] has a seal and a proof then).
//!
//! `docs/protocols/ot.md` has the argument.

mod check;
pub mod columns;
pub mod reply;
pub mod trees;

/// Bits of Δ, hence base transfers, columns and the width of a row.
pub const COLUMNS: usize = 128;

/// Bytes of a key of a base transfer, of a node of a tree and of a row.
pub const ROW_BYTES: usize = 16;

/// Most transfers of one extension.
pub const MOST: usize = 1 << 24;

/// Up to here groups are wide: the smallest reply, for more computing a transfer.
const FEW: usize = 1 << 18;

/// What both sides know of an extension before it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Transfers.
    pub count: usize,
    /// Whether the receiver proves that it was consistent; costs it 128 transfers more and some hundred bytes.
    pub checked: bool,
}

impl Shape {
    /// Bits of Δ in a group: 8 (two bytes sent and 32 AES blocks computed a transfer) or, for many transfers, 4 (four
    /// bytes and four blocks).
    pub const fn depth(self) -> usize {
        if self.count <= FEW { 8 } else { 4 }
    }

    /// Groups, each with a tree of 2^depth leaves.
    pub const fn groups(self) -> usize {
        COLUMNS / self.depth()
    }

    /// Blocks of 128 bits in a column: those of the transfers, and one of random choices when they are checked.
    pub const fn blocks(self) -> usize {
        self.count.div_ceil(COLUMNS) + self.checked as usize
    }

    /// Bytes of the corrections that open the trees.
    pub const fn levels_size(self) -> usize {
        self.groups() * (self.depth() - 1) * 2 * ROW_BYTES
    }

    /// Bytes of the corrections that move all groups to the same choices.
    pub const fn folded_size(self) -> usize {
        self.groups() * self.blocks() * ROW_BYTES
    }

    /// Bytes that seal the trees: a sum for each and a hash over all leaves.
    pub const fn seal_size(self) -> usize {
        self.checked as usize * (self.groups() + 1) * trees::PROOF_BYTES
    }

    /// Bytes of the proof: a hash of the choices, and one of the columns.
    pub const fn proof_size(self) -> usize {
        self.checked as usize * (ROW_BYTES + 32)
    }
}

/// All ones where a bit of Δ is set, else zero. The compiler is kept from seeing that there are only these two values, for
/// which it might make a branch.
fn mask_of(delta: &[u8; ROW_BYTES], bit: usize) -> u64 {
    std::hint::black_box(u64::from(delta[bit / 8] >> (bit % 8) & 1).wrapping_neg())
}
