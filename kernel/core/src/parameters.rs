//! Parameter sets of the static-hint histogram. `kernel/core/parameters.py` recomputes every bound from this file.

/// One parameter set: a ring, a payload, and the noise that hides the hosts' rows.
#[derive(Debug, PartialEq)]
pub struct Parameters {
    pub name: &'static str,
    /// N: the ring is Z_q[X]/(X^N + 1).
    pub ring_degree: usize,
    /// Width of a residue on the wire; every prime lies in [2^(bits−1), 2^bits).
    pub prime_bits: u32,
    /// Factors of q, each ≡ 1 mod 2N.
    pub primes: &'static [u64],
    /// g is signed, in [−2^(bits−1), 2^(bits−1)).
    pub gradient_bits: u32,
    /// h is unsigned, in [0, 2^bits).
    pub hessian_bits: u32,
    /// log2 of the most samples a row may have.
    pub row_samples_log2: u32,
    /// λ: the flooding noise is 2^λ times the leftover it hides.
    pub flood_bits: u32,
    /// The flooding noise is 2^shift · (a discrete Gaussian of this σ) + a triangle.
    pub flood_shift: u32,
    pub flood_coarse_sigma: u64,
    /// Low bits that the hint leaves out, so that a coefficient is a whole number of bytes.
    pub hint_dropped_bits: u32,
    /// log2 of the most answers (rows × queries) over the life of a hint.
    pub answer_cap_log2: u32,
}

pub const S100: Parameters = Parameters {
    name: "S100",
    ring_degree: 4096,
    prime_bits: 50,
    primes: &[0x3ffffffffc001, 0x3fffffffcc001],
    gradient_bits: 5,
    hessian_bits: 4,
    row_samples_log2: 16,
    flood_bits: 44,
    flood_shift: 47,
    flood_coarse_sigma: 107,
    hint_dropped_bits: 44,
    answer_cap_log2: 28,
};

pub const S105: Parameters = Parameters {
    name: "S105",
    ring_degree: 4096,
    prime_bits: 35,
    primes: &[0x7ffff6001, 0x7fffba001, 0x7fffb0001],
    gradient_bits: 8,
    hessian_bits: 7,
    row_samples_log2: 17,
    flood_bits: 40,
    flood_shift: 44,
    flood_coarse_sigma: 74,
    hint_dropped_bits: 41,
    answer_cap_log2: 22,
};

pub const S138: Parameters = Parameters {
    name: "S138",
    ring_degree: 8192,
    prime_bits: 46,
    primes: &[0x3ffffff84001, 0x3ffffff70001, 0x3ffffff58001],
    gradient_bits: 20,
    hessian_bits: 18,
    row_samples_log2: 20,
    flood_bits: 43,
    flood_shift: 48,
    flood_coarse_sigma: 103,
    hint_dropped_bits: 42,
    answer_cap_log2: 28,
};

/// All sets, the fewest bytes a sample and a row first, finest last.
pub const SETS: [&Parameters; 3] = [&S100, &S105, &S138];

/// More blocks than this would overflow the lazy sums of set-up.
pub const MAX_BLOCKS: usize = 4096;

/// Fewer σ than this from a sum to half a step of Δ are not accepted at a set-up.
pub const LEAST_MARGIN: f64 = 8.0;

/// How fine the numbers of a job are to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 5 bits of g are enough.
    Coarse,
    /// 8 bits of g are enough.
    Medium,
    /// 20 bits of g, whatever they cost.
    Fine,
}

impl Parameters {
    pub fn named(name: &str) -> Option<&'static Self> {
        SETS.into_iter().find(|set| set.name == name)
    }

    /// The set for this many samples, when the largest row that will be sent has `largest_row` samples and the hint
    /// is to serve `answers` (rows × queries). None when no set fits.
    ///
    /// Sets are in the order of their bytes a sample, bytes a row of the hint, and work: the first that is as fine as
    /// `precision` says and fits is the cheapest.
    pub fn choose(
        samples: usize,
        largest_row: usize,
        answers: u64,
        precision: Precision,
    ) -> Option<&'static Self> {
        let fits = |set: &&Self| {
            samples <= set.max_samples()
                && largest_row <= set.max_row_samples()
                && answers <= set.answer_cap()
                && set.margin(largest_row) >= LEAST_MARGIN
        };
        let coarser = match precision {
            Precision::Coarse => 0,
            Precision::Medium => 1,
            Precision::Fine => 2,
        };
        SETS.into_iter().skip(coarser).find(fits)
    }

    pub fn max_row_samples(&self) -> usize {
        1 << self.row_samples_log2
    }

    pub fn answer_cap(&self) -> u64 {
        1 << self.answer_cap_log2
    }

    /// Width of the low digit of a sum: every sum of h fits.
    pub fn low_digit_bits(&self) -> u32 {
        self.hessian_bits + self.row_samples_log2
    }

    /// P: width of a packed (g, h) sum, sign included.
    pub fn payload_bits(&self) -> u32 {
        self.gradient_bits + 1 + self.row_samples_log2 + self.low_digit_bits()
    }

    /// log2 q, rounded up.
    pub fn modulus_bits(&self) -> u32 {
        self.prime_bits * self.primes.len() as u32
    }

    /// Bytes of one coefficient of the hint.
    pub fn hint_coefficient_size(&self) -> usize {
        ((self.modulus_bits() - self.hint_dropped_bits) / 8) as usize
    }

    /// Ring elements of N samples, the last one perhaps short.
    pub fn blocks(&self, samples: usize) -> usize {
        samples.div_ceil(self.ring_degree)
    }

    pub fn max_samples(&self) -> usize {
        MAX_BLOCKS * self.ring_degree
    }

    /// Bytes of `count` residues modulo one prime.
    pub fn plane_size(&self, count: usize) -> usize {
        (count * self.prime_bits as usize).div_ceil(8)
    }

    /// Bytes of `count` coefficients of one ring element: a plane for each prime.
    pub fn element_size(&self, count: usize) -> usize {
        self.primes.len() * self.plane_size(count)
    }

    /// Bytes of the encryption of `samples` consecutive samples that begin with a ring element.
    pub fn encrypted_size(&self, samples: usize) -> usize {
        let rest = samples % self.ring_degree;
        samples / self.ring_degree * self.element_size(self.ring_degree) + self.element_size(rest)
    }

    pub fn hint_size(&self, rows: usize) -> usize {
        rows * self.ring_degree * self.hint_coefficient_size()
    }

    /// Bytes of the answers to one query.
    pub fn answer_size(&self, rows: usize) -> usize {
        (rows * self.modulus_bits() as usize).div_ceil(8)
    }

    /// σ of what is left of the errors in an answer, for a row of this many samples: 3.2·√(n + 4N/3).
    pub fn leftover_sigma(&self, row_samples: usize) -> f64 {
        let terms = row_samples as f64 + 4.0 * self.ring_degree as f64 / 3.0;
        crate::sampling::ERROR_SIGMA * terms.sqrt()
    }

    /// σ of the flooding noise as sampled.
    pub fn flood_sigma(&self) -> f64 {
        let coarse = (self.flood_coarse_sigma * self.flood_coarse_sigma) as f64;
        // two uniforms on [0, 1) add a variance of 1/6
        (coarse + 1.0 / 6.0).sqrt() * f64::from(self.flood_shift).exp2()
    }

    /// σ of everything that a decryption rounds away, for a row of this many samples: flood, leftover, dropped bits
    /// of the hint.
    pub fn noise_sigma(&self, row_samples: usize) -> f64 {
        let dropped =
            f64::from(self.hint_dropped_bits).exp2() * (self.ring_degree as f64 / 18.0).sqrt();
        let leftover = self.leftover_sigma(row_samples);
        (self.flood_sigma().powi(2) + leftover.powi(2) + dropped.powi(2)).sqrt()
    }

    /// log2 of Δ = ⌊q / 2^P⌋, a little too low.
    fn step_log2(&self) -> f64 {
        let modulus: f64 = self.primes.iter().map(|prime| (*prime as f64).log2()).sum();
        modulus - f64::from(self.payload_bits()) - 1e-9
    }

    /// How many σ of the noise fit in half a step of Δ when the largest row has this many samples.
    pub fn margin(&self, row_samples: usize) -> f64 {
        (self.step_log2() - 1.0).exp2() / self.noise_sigma(row_samples)
    }
}
