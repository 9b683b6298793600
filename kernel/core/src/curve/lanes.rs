//! The algorithms of the curve on several points side by side, written once for all fields with lanes.

/// Defines the operations of [`super::batch`] over a field of `field25519` whose instructions are `$features`.
///
/// `GROUPS` registers' worth of points go together, so that one group computes while another waits for its results.
macro_rules! define {
    ($field:ident, $features:literal) => {
        use zeroize::Zeroize;

        use crate::curve::batch::Ladder;
        use crate::curve::{A, A24};
        use crate::field25519::Element;
        use crate::field25519::$field::{
            Carried, LANES, Mask, Words, add_scaled, bias, carry, choose, difference,
            lanes_with_bit, load, load_words, loosen, multiply, square, store, sum,
        };

        const GROUPS: usize = 2;

        /// Points that one pass of a loop takes.
        pub(in crate::curve) const STRIDE: usize = GROUPS * LANES;

        /// As many elements as there are lanes in all groups.
        type Groups = [Carried; GROUPS];

        /// R0 or R1 twice, and the sum of both: x + z and x − z of each.
        struct State {
            doubled: [Carried; 2],
            sum: [Carried; 2],
        }

        #[target_feature(enable = $features)]
        fn product(a: &Carried, b: &Carried) -> Carried {
            carry(&multiply::<false>(a, b))
        }

        #[target_feature(enable = $features)]
        fn load_groups(elements: &[Element; STRIDE]) -> Groups {
            let mut groups = [load(&[Element::ZERO; LANES]); GROUPS];
            let (rows, _) = elements.as_chunks::<LANES>();
            for (group, row) in groups.iter_mut().zip(rows) {
                *group = load(row);
            }
            groups
        }

        #[target_feature(enable = $features)]
        fn store_groups(groups: &Groups, elements: &mut [Element; STRIDE]) {
            let (rows, _) = elements.as_chunks_mut::<LANES>();
            for (group, row) in groups.iter().zip(rows) {
                *row = store(group);
            }
        }

        /// The four multiples of a step come from x + z and x − z alone, which are carried only then: nine products and
        /// eleven carries. The lanes of `swap` double the sum.
        #[inline]
        #[target_feature(enable = $features)]
        fn step(state: &mut State, u: &Carried, swap: Mask) {
            let [a, b] = state.doubled;
            let [c, d] = state.sum;
            let (above, below) = (choose(swap, &a, &c), choose(swap, &b, &d));
            let (above, below) = (square::<true>(&above), square::<false>(&below));
            let gap = carry(&difference(&above, &below));
            let factor = carry(&add_scaled(&above, &gap, A24));
            let (left, right) = (multiply::<true>(&d, &a), multiply::<false>(&c, &b));
            let apart = carry(&difference(&left, &right));
            let together = carry(&sum(&left, &right));
            let apart = carry(&square::<false>(&apart));
            let x = multiply::<true>(&carry(&above), &carry(&below));
            let z = multiply::<false>(&gap, &factor);
            state.doubled = [carry(&sum(&x, &z)), carry(&difference(&x, &z))];
            let z = multiply::<false>(u, &apart);
            let x = square::<true>(&together);
            state.sum = [carry(&sum(&x, &z)), carry(&difference(&x, &z))];
        }

        #[target_feature(enable = $features)]
        fn double(point: &mut [Carried; 2]) {
            let (above, below) = (square::<true>(&point[0]), square::<false>(&point[1]));
            let gap = carry(&difference(&above, &below));
            let factor = carry(&add_scaled(&above, &gap, A24));
            let x = multiply::<true>(&carry(&above), &carry(&below));
            let z = multiply::<false>(&gap, &factor);
            *point = [carry(&sum(&x, &z)), carry(&difference(&x, &z))];
        }

        /// The multiples of `points` as fractions, in place of the points and in `denominators`.
        #[target_feature(enable = $features)]
        pub(in crate::curve) fn ladder(
            points: &mut [Element; STRIDE],
            denominators: &mut [Element; STRIDE],
            ladders: &[Ladder; STRIDE],
        ) {
            let u = load_groups(points);
            let one = load(&[Element::ONE; LANES]);
            let mut states: [State; GROUPS] = std::array::from_fn(|group| State {
                doubled: [one; 2],
                sum: [u[group]; 2],
            });
            for state in &mut states {
                let u = sum(&loosen(&state.sum[0]), &bias());
                state.sum[0] = carry(&sum(&u, &loosen(&one)));
                state.sum[1] = carry(&difference(&u, &loosen(&one)));
            }
            for word in (0..4).rev() {
                let changes = words_of(|lane| ladders[lane].changes[word]);
                let last = if word == 0 { ladders[0].doublings } else { 0 };
                for bit in (last..64).rev() {
                    for group in 0..GROUPS {
                        let swap = lanes_with_bit(changes[group], bit);
                        step(&mut states[group], &u[group], swap);
                    }
                }
            }
            let lasts = words_of(|lane| u64::from(ladders[lane].last));
            let (mut numerators, mut lower) = (u, u);
            for group in 0..GROUPS {
                let state = &mut states[group];
                let swap = lanes_with_bit(lasts[group], 0);
                let mut point =
                    [0, 1].map(|index| choose(swap, &state.doubled[index], &state.sum[index]));
                for _ in 0..ladders[0].doublings {
                    double(&mut point);
                }
                let (above, below) = (loosen(&point[0]), loosen(&point[1]));
                numerators[group] = carry(&sum(&above, &below));
                lower[group] = carry(&difference(&sum(&above, &bias()), &below));
                state.doubled.zeroize();
                state.sum.zeroize();
            }
            store_groups(&numerators, points);
            store_groups(&lower, denominators);
        }

        #[target_feature(enable = $features)]
        fn words_of(word: impl Fn(usize) -> u64) -> [Words; GROUPS] {
            let mut groups = [load_words(&[0; LANES]); GROUPS];
            for (group, words) in groups.iter_mut().enumerate() {
                let mut row = std::array::from_fn(|lane| word(group * LANES + lane));
                *words = load_words(&row);
                row.zeroize();
            }
            groups
        }

        /// Multiplies `numerators` by the inverses of `denominators`, none of which is 0; a multiple of `STRIDE` of each.
        #[target_feature(enable = $features)]
        pub(in crate::curve) fn divide(numerators: &mut [Element], denominators: &[Element]) {
            let denominators = denominators.as_chunks::<STRIDE>().0;
            let mut product_before = Vec::with_capacity(denominators.len());
            let mut all = load_groups(&[Element::ONE; STRIDE]);
            for row in denominators {
                product_before.push(all);
                let row = load_groups(row);
                for (all, row) in all.iter_mut().zip(&row) {
                    *all = product(all, row);
                }
            }
            let (power, eleven) = powers(&all);
            let mut inverse = squared_times(&power, 5);
            multiply_by(&mut inverse, &eleven);
            let rows = numerators.as_chunks_mut::<STRIDE>().0;
            for ((row, denominators), before) in
                rows.iter_mut().zip(denominators).zip(&product_before).rev()
            {
                let mut quotient = load_groups(row);
                let denominators = load_groups(denominators);
                for group in 0..GROUPS {
                    let inverted = product(&inverse[group], &before[group]);
                    inverse[group] = product(&inverse[group], &denominators[group]);
                    quotient[group] = product(&quotient[group], &inverted);
                }
                store_groups(&quotient, row);
            }
        }

        #[target_feature(enable = $features)]
        fn multiply_by(left: &mut Groups, right: &Groups) {
            for (left, right) in left.iter_mut().zip(right) {
                *left = product(left, right);
            }
        }

        #[target_feature(enable = $features)]
        fn squared_times(values: &Groups, count: usize) -> Groups {
            let mut values = *values;
            for _ in 0..count {
                for value in &mut values {
                    *value = carry(&square::<false>(value));
                }
            }
            values
        }

        /// x^(2^250 − 1) and x^11, as `Element::power_ladder`.
        #[target_feature(enable = $features)]
        fn powers(values: &Groups) -> (Groups, Groups) {
            let raised = |values: &Groups, count: usize, by: &Groups| {
                let mut raised = squared_times(values, count);
                multiply_by(&mut raised, by);
                raised
            };
            let squared = squared_times(values, 1);
            let nine = raised(&squared, 2, values);
            let mut eleven = squared;
            multiply_by(&mut eleven, &nine);
            let five_bits = raised(&eleven, 1, &nine);
            let ten = raised(&five_bits, 5, &five_bits);
            let twenty = raised(&ten, 10, &ten);
            let forty = raised(&twenty, 20, &twenty);
            let fifty = raised(&forty, 10, &ten);
            let hundred = raised(&fifty, 50, &fifty);
            let two_hundred = raised(&hundred, 100, &hundred);
            (raised(&two_hundred, 50, &fifty), eleven)
        }

        /// x^(2^254 − 11), which is the quadratic symbol of x over x.
        #[target_feature(enable = $features)]
        fn symbol_over(values: &Groups) -> Groups {
            let (power, _) = powers(values);
            let mut result = squared_times(&power, 4);
            let mut five = squared_times(values, 2);
            multiply_by(&mut five, values);
            multiply_by(&mut result, &five);
            result
        }

        /// Elligator 2 up to a choice: A/d up to sign in place of r, and in `symbols` that sign, ±1.
        ///
        /// With e = A·(d² − 2A²r²), which is A·(A² − A²d + d²), and x = e·d, −x has the square test of the map, and so has x.
        /// x^((p−3)/2) is its symbol over x: one power gives the test and 1/d = e/x.
        #[target_feature(enable = $features)]
        pub(in crate::curve) fn elligator(
            fields: &mut [Element; STRIDE],
            symbols: &mut [Element; STRIDE],
        ) {
            let mut values = load_groups(fields);
            let (mut inners, mut tests) = (values, values);
            let one = loosen(&load(&[Element::ONE; LANES]));
            let a = load(&[A; LANES]);
            let a_squared = load(&[A.squared(); LANES]);
            for group in 0..GROUPS {
                let squared = carry(&square::<false>(&values[group]));
                let doubled = carry(&sum(&loosen(&squared), &loosen(&squared)));
                let d = carry(&sum(&loosen(&doubled), &one));
                let inner = carry(&difference(
                    &square::<true>(&d),
                    &multiply::<false>(&doubled, &a_squared),
                ));
                inners[group] = product(&inner, &a);
                tests[group] = product(&inners[group], &d);
            }
            let mut over = symbol_over(&tests);
            multiply_by(&mut inners, &over);
            multiply_by(&mut over, &tests);
            for (value, inner) in values.iter_mut().zip(&inners) {
                *value = product(inner, &a);
            }
            store_groups(&values, fields);
            store_groups(&over, symbols);
        }

        /// The quadratic symbol of u³ + A·u² + u in place of u: 1 or 0 on the curve, −1 on the twist.
        #[target_feature(enable = $features)]
        pub(in crate::curve) fn curve_symbols(points: &mut [Element; STRIDE]) {
            let mut values = load_groups(points);
            let one = load(&[Element::ONE; LANES]);
            let a = load(&[A; LANES]);
            for u in &mut values {
                let inner = product(u, &carry(&sum(&loosen(u), &loosen(&a))));
                *u = product(u, &carry(&sum(&loosen(&inner), &loosen(&one))));
            }
            let mut symbols = symbol_over(&values);
            multiply_by(&mut symbols, &values);
            store_groups(&symbols, points);
        }
    };
}

pub(super) use define;
