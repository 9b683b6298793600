//! One point after the other, in the 64-bit words of every processor.

use subtle::Choice;
use zeroize::Zeroize;

use super::batch::Ladder;
use super::{A, A24};
use crate::field25519::Element;

/// A multiple of the point u as a fraction (RFC 7748 §5).
pub(super) fn ladder(u: Element, ladder: &Ladder) -> (Element, Element) {
    let (mut x2, mut z2, mut x3, mut z3) = (Element::ONE, Element::ZERO, u, Element::ONE);
    for bit in (ladder.doublings as usize..256).rev() {
        let swap = Choice::from((ladder.changes[bit / 64] >> (bit % 64) & 1) as u8);
        Element::swap_if(&mut x2, &mut x3, swap);
        Element::swap_if(&mut z2, &mut z3, swap);
        let (left, right) = ((x3 - z3) * (x2 + z2), (x3 + z3) * (x2 - z2));
        x3 = (left + right).squared();
        z3 = u * (left - right).squared();
        (x2, z2) = double(x2, z2);
    }
    let swap = Choice::from(ladder.last);
    Element::swap_if(&mut x2, &mut x3, swap);
    Element::swap_if(&mut z2, &mut z3, swap);
    x3.zeroize();
    z3.zeroize();
    (0..ladder.doublings).fold((x2, z2), |(x, z), _| double(x, z))
}

fn double(x: Element, z: Element) -> (Element, Element) {
    let (above, below) = ((x + z).squared(), (x - z).squared());
    let gap = above - below;
    (above * below, gap * (above + gap.times_small(A24)))
}

/// Elligator 2 up to a choice: A/d up to sign, and that sign, the quadratic symbol that the map asks for.
///
/// The square test needs no inversion: times d⁴ the value is −A·(A² − A²·d + d²)·d, and −1 is a square. Nor is it ever 0:
/// d is not, since −1/2 is no square, nor A² − A²·d + d², since A² − 4 is none.
pub(super) fn elligator(field: Element) -> (Element, Element) {
    let doubled = field.squared().times_small(2);
    let d = doubled + Element::ONE;
    let inner = A * (d.squared() - doubled * A.squared());
    let test = inner * d;
    let over = test.symbol_over();
    (inner * over * A, test * over)
}

/// The quadratic symbol of u³ + A·u² + u.
pub(super) fn curve_symbol(u: Element) -> Element {
    let value = u * (u * (u + A) + Element::ONE);
    value * value.symbol_over()
}
