//! The static-hint histogram as its users see it: exact sums, refusals, and what it does with rubbish.

use hanse_kernel::histogram::{Guest, Hint, Host, Refusal, Sums};
use hanse_kernel::parameters::{Parameters, S100, S138};

const PUBLIC: [u8; 32] = [7; 32];

/// A cheap deterministic stream; the statistics of the samplers are tested elsewhere.
fn words(seed: u64) -> impl Iterator<Item = u64> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

struct Case {
    parameters: &'static Parameters,
    samples: usize,
    codes: Vec<u8>,
    bins: Vec<i32>,
    omitted: Vec<i32>,
    gradients: Vec<i32>,
    hessians: Vec<i32>,
}

impl Case {
    fn random(
        parameters: &'static Parameters,
        samples: usize,
        bins: &[i32],
        omitted: &[i32],
        seed: u64,
    ) -> Self {
        let mut words = words(seed);
        let mut below = |bound: u64| words.next().expect("endless") % bound;
        let codes = bins
            .iter()
            .flat_map(|bins| vec![*bins as u64; samples])
            .map(|bins| below(bins) as u8)
            .collect();
        let half = 1i64 << (parameters.gradient_bits - 1);
        let gradients = (0..samples)
            .map(|_| (below(2 * half as u64) as i64 - half) as i32)
            .collect();
        let hessians = (0..samples)
            .map(|_| below(1 << parameters.hessian_bits) as i32)
            .collect();
        Self {
            parameters,
            samples,
            codes,
            bins: bins.to_vec(),
            omitted: omitted.to_vec(),
            gradients,
            hessians,
        }
    }

    fn host(&self) -> Host {
        Host::set_up(
            self.parameters,
            &PUBLIC,
            &[8; 32],
            self.codes.clone(),
            &self.bins,
            &self.omitted,
        )
        .expect("rows fit")
    }

    fn guest(&self) -> Guest {
        Guest::new(self.parameters, &PUBLIC, self.samples).expect("samples fit")
    }

    fn plain(&self) -> Sums {
        let mut sums = Sums {
            gradients: Vec::new(),
            hessians: Vec::new(),
        };
        for (feature, (bins, omitted)) in self.bins.iter().zip(&self.omitted).enumerate() {
            let codes = &self.codes[feature * self.samples..][..self.samples];
            for bin in (0..*bins).filter(|bin| bin != omitted) {
                let of_row = |values: &[i32]| -> i64 {
                    codes
                        .iter()
                        .zip(values)
                        .filter(|(code, _)| i32::from(**code) == bin)
                        .map(|(_, value)| i64::from(*value))
                        .sum()
                };
                sums.gradients.push(of_row(&self.gradients));
                sums.hessians.push(of_row(&self.hessians));
            }
        }
        sums
    }

    fn federated(&self) -> Sums {
        let (host, guest) = (self.host(), self.guest());
        let hint = Hint::parse(self.parameters, host.hint(), host.rows())
            .expect("the hint is well formed");
        let query = guest
            .encrypt(&self.gradients, &self.hessians, &[9; 32])
            .expect("the vector fits");
        let answer = host
            .answer(query.ciphertext(), &[10; 32])
            .expect("the query is well formed");
        guest
            .decrypt(&query, &hint, &answer)
            .expect("the answer is within the budget")
    }
}

#[test]
fn sums_are_exact_in_both_sets_at_awkward_sizes() {
    for (parameters, samples) in [(&S100, 1), (&S100, 4097), (&S138, 8191), (&S138, 20_003)] {
        let case = Case::random(
            parameters,
            samples,
            &[3, 7, 256, 1],
            &[0, 6, 17, 0],
            samples as u64,
        );
        assert_eq!(
            case.federated(),
            case.plain(),
            "{} {samples}",
            parameters.name
        );
    }
}
