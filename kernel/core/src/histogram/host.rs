//! The host's side: its rows, and answers to levels of queries.

use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;
use zeroize::Zeroizing;

use super::rows::{Columns, Rows, count_samples, digest};
use super::sums::{Column, Group, LAZY_SAMPLES, Line, accumulate, fold, words};
use super::{
    Refusal, block_samples, blocks, check_length, check_queries, check_samples, products, setup,
};
use crate::packing::{Packer, unpack_lanes, unpack_plane};
use crate::parameters::Parameters;
use crate::prg::{Seed, Stream, derive};
use crate::ring::{Residues, Ring, expand_public};
use crate::sampling::Flood;

/// Samples that are unpacked before they are added to all columns: few enough that their words stay in the second cache.
/// Divides the degree of every ring.
const TILE: usize = 512;

/// Fewer features than this are not worth unpacking samples for, which costs about as much as adding them to two.
const LEAST_SHARE: usize = 8;

/// Columns that one pass over the samples adds up.
const COLUMNS_A_PASS: usize = 4;

/// Rows whose dummy terms one task computes, and whose flooding noise comes from one stream.
const ROWS_A_TASK: usize = 64;

/// What a host keeps for the life of a hint: the rows of its samples and the secrets ρ.
pub struct Host {
    parameters: &'static Parameters,
    ring: Ring,
    flood: Flood,
    samples: usize,
    rows: Rows,
    /// ρ_r, N coefficients a row.
    dummies: Zeroizing<Vec<i8>>,
    answered: AtomicU64,
}

/// The answers to one level of queries in the making.
pub struct Summing {
    queries: usize,
    groups: Vec<Group>,
    features: Vec<usize>,
    /// The sums of each answered feature: group by group, a row each and one for samples that are in no row.
    tables: Vec<Vec<Line>>,
    /// ct(ρ_r·b_D) of each answered row, query by query.
    dummy_terms: Vec<Residues>,
    /// What the noise of this level is bound to.
    binding: [u8; 32],
    blocks_added: usize,
    unfolded: usize,
}

impl Host {
    /// Sets up the rows of `columns`; the second result is the hint, for the guest.
    ///
    /// `secret_seed` is fresh for every set-up: two hints made from one seed over two tables would give away their
    /// difference. The key is bound to the table and the public part as well, so that a seed used again by mistake for
    /// another table gives unrelated secrets.
    pub fn set_up(
        parameters: &'static Parameters,
        public_seed: &Seed,
        secret_seed: &Seed,
        columns: Columns<'_>,
    ) -> Result<(Self, Vec<u8>), Refusal> {
        let samples = count_samples(columns)?;
        check_samples(parameters, samples)?;
        let rows = Rows::list(parameters, columns, samples)?;
        let ring = Ring::new(parameters);
        let public = expand_public(&ring, parameters, public_seed, parameters.blocks(samples));
        let key = key_of(parameters, public_seed, secret_seed, columns);
        let (dummies, hint) = setup::make_hint(parameters, &ring, &public, &rows, &key);
        Ok((Self::of(parameters, ring, samples, rows, dummies, 0), hint))
    }

    /// The same set-up again, from the same arguments, for a guest that kept its hint: ρ is drawn, and no hint is made.
    ///
    /// `answered` is how many answers the hint has served already.
    pub fn resume(
        parameters: &'static Parameters,
        public_seed: &Seed,
        secret_seed: &Seed,
        columns: Columns<'_>,
        answered: u64,
    ) -> Result<Self, Refusal> {
        let samples = count_samples(columns)?;
        check_samples(parameters, samples)?;
        let rows = Rows::list(parameters, columns, samples)?;
        let key = key_of(parameters, public_seed, secret_seed, columns);
        let dummies = setup::draw_dummies(parameters.ring_degree, rows.count(), &key);
        let ring = Ring::new(parameters);
        Ok(Self::of(parameters, ring, samples, rows, dummies, answered))
    }

    fn of(
        parameters: &'static Parameters,
        ring: Ring,
        samples: usize,
        rows: Rows,
        dummies: Zeroizing<Vec<i8>>,
        answered: u64,
    ) -> Self {
        let flood = Flood::new(parameters.flood_shift, parameters.flood_coarse_sigma);
        Self {
            parameters,
            ring,
            flood,
            samples,
            rows,
            dummies,
            answered: AtomicU64::new(answered),
        }
    }

    pub fn rows(&self) -> usize {
        self.rows.count()
    }

    /// Rows of each feature.
    pub fn rows_of_features(&self) -> Vec<usize> {
        (0..self.rows.features())
            .map(|feature| self.rows.of(feature))
            .collect()
    }

    /// Samples of the largest row.
    pub fn largest_row(&self) -> usize {
        self.rows.largest
    }

    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Rows × queries answered so far with this hint.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Bytes of the answers to a level, when `rows` rows are answered.
    pub fn answers_size(&self, summing: &Summing) -> usize {
        summing.queries
            * self
                .parameters
                .answer_size(self.answered_rows(&summing.features))
    }

    fn answered_rows(&self, features: &[usize]) -> usize {
        features.iter().map(|feature| self.rows.of(*feature)).sum()
    }

    /// Begins the answers to a level of queries, from their dummy elements.
    ///
    /// `mask` has a byte for each feature: those with 0 are left out. The answers are counted here, all at once.
    pub fn begin(
        &self,
        queries: usize,
        dummies: &[u8],
        mask: Option<&[u8]>,
    ) -> Result<Summing, Refusal> {
        check_queries(queries)?;
        let features = self.features_of(mask)?;
        let size = self.parameters.element_size(self.parameters.ring_degree);
        check_length("a level's dummy part", dummies, queries * size)?;
        let digits = self.read_dummies(queries, dummies)?;
        let answers = (self.answered_rows(&features) * queries) as u64;
        let cap = self.parameters.answer_cap();
        // counted before the work, so that callers on several threads cannot pass the cap together
        let before = self
            .answered
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |sum| {
                sum.checked_add(answers).filter(|sum| *sum <= cap)
            })
            .map_err(|_| Refusal::HintExhausted)?;
        let groups = Group::all(queries * self.parameters.primes.len());
        let tables = features
            .iter()
            .map(|feature| {
                let slots = self.rows.of(*feature) + 1;
                let lines = groups.iter().map(|group| group.lines(slots)).sum();
                vec![Line::default(); lines]
            })
            .collect();
        let mut hasher = blake3::Hasher::new();
        hasher.update(&before.to_le_bytes()).update(dummies);
        Ok(Summing {
            queries,
            groups,
            dummy_terms: self.dummy_terms(queries, &digits, &features),
            features,
            tables,
            binding: *hasher.finalize().as_bytes(),
            blocks_added: 0,
            unfolded: 0,
        })
    }

    fn features_of(&self, mask: Option<&[u8]>) -> Result<Vec<usize>, Refusal> {
        let count = self.rows.features();
        let Some(mask) = mask else {
            return Ok((0..count).collect());
        };
        if mask.len() != count {
            return Err(Refusal::Invalid(format!(
                "the mask has {} numbers where there are {count} features",
                mask.len()
            )));
        }
        let chosen: Vec<usize> = (0..count).filter(|feature| mask[*feature] != 0).collect();
        if self.answered_rows(&chosen) == 0 {
            return Err(Refusal::Invalid("the mask leaves no row to answer".into()));
        }
        Ok(chosen)
    }

    /// The dummy elements as byte planes in the order of a constant coefficient: query by query, prime by prime, byte by
    /// byte, N bytes each.
    fn read_dummies(&self, queries: usize, dummies: &[u8]) -> Result<Vec<u8>, Refusal> {
        let parameters = self.parameters;
        let degree = parameters.ring_degree;
        let bytes_of = parameters.prime_bits.div_ceil(8) as usize;
        let mut digits = vec![0u8; queries * parameters.primes.len() * bytes_of * degree];
        let sound = dummies
            .par_chunks(parameters.plane_size(degree))
            .zip(digits.par_chunks_mut(bytes_of * degree))
            .enumerate()
            .map_init(
                || vec![0u64; degree],
                |values, (lane, (bytes, digits))| {
                    let prime = parameters.primes[lane % parameters.primes.len()];
                    let sound = unpack_plane(bytes, parameters.prime_bits, prime, values);
                    // ct(ρ·b) = ρ_0·b_0 − Σ ρ_k·b_(N−k)
                    values[1..].reverse();
                    values[1..]
                        .iter_mut()
                        .for_each(|value| *value = prime.wrapping_sub(*value));
                    for (byte, plane) in digits.chunks_exact_mut(degree).enumerate() {
                        for (digit, value) in plane.iter_mut().zip(&*values) {
                            *digit = (value >> (8 * byte)) as u8;
                        }
                    }
                    sound
                },
            )
            .reduce(|| true, |left, right| left & right);
        if sound {
            Ok(digits)
        } else {
            Err(out_of_range("a level's dummy part"))
        }
    }

    /// ct(ρ_r·b_D) for every answered row, query by query.
    fn dummy_terms(&self, queries: usize, digits: &[u8], features: &[usize]) -> Vec<Residues> {
        let degree = self.parameters.ring_degree;
        let primes = self.parameters.primes.len();
        let bytes_of = self.parameters.prime_bits.div_ceil(8) as usize;
        let rows: Vec<usize> = features
            .iter()
            .flat_map(|feature| self.rows.starts[*feature]..self.rows.starts[feature + 1])
            .collect();
        // rows that follow one another are multiplied together
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for row in &rows {
            match runs.last_mut() {
                Some((start, count)) if *start + *count == *row && *count < ROWS_A_TASK => {
                    *count += 1;
                }
                _ => runs.push((*row, 1)),
            }
        }
        let lanes = queries * primes;
        let by_run: Vec<Vec<Residues>> = runs
            .par_iter()
            .map(|(start, count)| {
                let secrets = &self.dummies[start * degree..(start + count) * degree];
                let mut sums = vec![0i32; lanes * bytes_of * count];
                products(digits, secrets, degree, &mut sums);
                let mut terms = vec![[0; 3]; queries * count];
                for (lane, sums) in sums.chunks(bytes_of * count).enumerate() {
                    let transform = &self.ring.transforms()[lane % primes];
                    for row in 0..*count {
                        // at most N·2^56 in absolute value; the sum of all bytes fits, not each partial one
                        let total = (0..bytes_of)
                            .map(|byte| i128::from(sums[byte * count + row]) << (8 * byte))
                            .sum::<i128>();
                        terms[lane / primes * count + row][lane % primes] =
                            total.rem_euclid(i128::from(transform.prime())) as u64;
                    }
                }
                terms
            })
            .collect();
        let mut terms = vec![[0; 3]; queries * rows.len()];
        let mut done = 0;
        for ((_, count), of_run) in runs.iter().zip(by_run) {
            for (query, of_query) in of_run.chunks(*count).enumerate() {
                terms[query * rows.len() + done..][..*count].copy_from_slice(of_query);
            }
            done += count;
        }
        terms
    }

    /// Adds one block of all queries. Blocks come in order.
    ///
    /// # Errors
    /// When the block is malformed; the level cannot be finished then.
    pub fn add(&self, summing: &mut Summing, block: &[u8]) -> Result<(), Refusal> {
        let count = block_samples(self.samples, summing.blocks_added);
        if count == 0 {
            return Err(Refusal::Malformed(
                "there are more blocks than the samples make".into(),
            ));
        }
        let parameters = self.parameters;
        let of_query = parameters.encrypted_size(count);
        check_length("a block", block, summing.queries * of_query)?;
        let first = summing.blocks_added * super::BLOCK;
        summing.blocks_added = usize::MAX;
        let tiles = tiles(count, &mut summing.unfolded);
        let sound = self
            .tasks(summing)
            .into_par_iter()
            .map(|task| self.run(task, block, first, count, &tiles))
            .reduce(|| true, |left, right| left & right);
        if !sound {
            return Err(out_of_range("a block"));
        }
        summing.blocks_added = first / super::BLOCK + 1;
        Ok(())
    }

    /// All groups and features, in as many parts as there are threads.
    fn tasks<'a>(&self, summing: &'a mut Summing) -> Vec<Task<'a>> {
        let groups = &summing.groups;
        let mut by_group: Vec<Vec<_>> = groups.iter().map(|_| Vec::new()).collect();
        for (table, feature) in summing.tables.iter_mut().zip(&summing.features) {
            let mut rest = &mut table[..];
            for (group, tables) in groups.iter().zip(&mut by_group) {
                let (own, later) = rest.split_at_mut(group.lines(self.rows.of(*feature) + 1));
                tables.push((*feature, own));
                rest = later;
            }
        }
        // each part unpacks the samples for itself, so that features are shared out only if groups are too few
        let parts = rayon::current_num_threads().div_ceil(groups.len());
        let share = summing.features.len().div_ceil(parts).max(LEAST_SHARE);
        let share = share.next_multiple_of(COLUMNS_A_PASS);
        let mut tasks = Vec::new();
        for (group, mut tables) in groups.iter().zip(by_group) {
            while !tables.is_empty() {
                let later = tables.split_off(share.min(tables.len()));
                let group = *group;
                tasks.push(Task { group, tables });
                tables = later;
            }
        }
        tasks
    }

    /// Unpacks a block tile by tile and adds it up; false when a number is out of range. `first` is the number of the
    /// block's first sample, and `count` how many it has.
    fn run(
        &self,
        task: Task<'_>,
        block: &[u8],
        first: usize,
        count: usize,
        tiles: &[Tile],
    ) -> bool {
        let Task { group, mut tables } = task;
        let mut sound = true;
        let mut samples = vec![Line::default(); group.lines(TILE.min(count))];
        for tile in tiles {
            sound &= self.unpack(group, block, count, tile, &mut samples);
            for tables in tables.chunks_mut(COLUMNS_A_PASS) {
                let mut columns: Vec<Column<'_>> = tables
                    .iter_mut()
                    .map(|(feature, table)| Column {
                        slots: &self.rows.column(*feature)[first + tile.start..][..tile.count],
                        table,
                    })
                    .collect();
                if tile.fold_first {
                    columns
                        .iter_mut()
                        .for_each(|column| fold(self.parameters, group, column.table));
                }
                accumulate(group.width, &mut columns, &samples);
            }
        }
        sound
    }

    /// The words of a tile's samples for one group.
    fn unpack(
        &self,
        group: Group,
        block: &[u8],
        samples: usize,
        tile: &Tile,
        out: &mut [Line],
    ) -> bool {
        let parameters = self.parameters;
        let (degree, primes) = (parameters.ring_degree, parameters.primes.len());
        let element = tile.start / degree;
        let of_plane = parameters.plane_size(degree.min(samples - element * degree));
        // a tile begins at a whole byte
        let begin =
            element * parameters.element_size(degree) + parameters.plane_size(tile.start % degree);
        let size = parameters.plane_size(tile.count);
        let mut planes = [(&block[..0], 0u64); 8];
        for (lane, plane) in planes.iter_mut().enumerate().take(group.used) {
            let (query, place) = ((group.first + lane) / primes, (group.first + lane) % primes);
            let at = query * parameters.encrypted_size(samples) + begin + place * of_plane;
            *plane = (&block[at..at + size], parameters.primes[place]);
        }
        unpack_lanes(
            &planes[..group.used],
            parameters.prime_bits,
            tile.count,
            group.width,
            out,
        )
    }

    /// The flooded sums of every answered row, query by query. `flood_seed` is fresh for every level.
    ///
    /// # Errors
    /// When blocks are missing, or one was refused.
    pub fn finish(&self, summing: Summing, flood_seed: &Seed) -> Result<Vec<u8>, Refusal> {
        if summing.blocks_added != blocks(self.samples) {
            return Err(Refusal::Malformed(
                "not all blocks of the level have been added".into(),
            ));
        }
        let parameters = self.parameters;
        let primes = parameters.primes.len();
        let rows = self.answered_rows(&summing.features);
        // the flood must not come from anything that entered the hint: its seed is its own, bound to this level
        let key = Zeroizing::new(derive(
            flood_seed,
            "hanse histogram flood",
            &[&summing.binding],
        ));
        let places: Vec<(usize, usize)> = (0..summing.features.len())
            .flat_map(|index| {
                (0..self.rows.of(summing.features[index])).map(move |slot| (index, slot))
            })
            .collect();
        let tasks = rows.div_ceil(ROWS_A_TASK);
        let flooded: Vec<Vec<Residues>> = (0..summing.queries * tasks)
            .into_par_iter()
            .map(|task| {
                let (query, first) = (task / tasks, task % tasks * ROWS_A_TASK);
                let lane = (query as u64) << 32 | (task % tasks) as u64;
                let mut stream = Stream::new(&key, lane);
                let of_task = &places[first..rows.min(first + ROWS_A_TASK)];
                let mut noise = Zeroizing::new([0; ROWS_A_TASK]);
                let noise = &mut noise[..of_task.len()];
                self.flood.fill(&mut stream, noise);
                let terms = &summing.dummy_terms[query * rows + first..];
                of_task
                    .iter()
                    .zip(terms)
                    .zip(noise)
                    .map(|(((index, slot), term), noise)| {
                        let mut residues = [0; 3];
                        for (place, transform) in self.ring.transforms().iter().enumerate() {
                            let lane = query * primes + place;
                            let sum = self.sum_at(&summing, *index, *slot, lane);
                            let sum = transform.add(transform.reduce(sum), term[place]);
                            residues[place] = transform.add(sum, transform.reduce_signed(*noise));
                        }
                        residues
                    })
                    .collect()
            })
            .collect();
        let mut answers = vec![0u8; self.answers_size(&summing)];
        for (out, tasks) in answers
            .chunks_mut(parameters.answer_size(rows))
            .zip(flooded.chunks(tasks))
        {
            let mut packer = Packer::new(out);
            for residues in tasks.iter().flatten() {
                for residue in &residues[..primes] {
                    packer.push(*residue, parameters.prime_bits);
                }
            }
            packer.finish();
        }
        Ok(answers)
    }

    /// One word of a table: feature number `index` of those answered.
    fn sum_at(&self, summing: &Summing, index: usize, slot: usize, lane: usize) -> u64 {
        let slots = self.rows.of(summing.features[index]) + 1;
        let group = lane / 8;
        // all groups but the last are whole: a line a row
        let lines = &summing.tables[index][group * slots..];
        words(lines)[slot * summing.groups[group].width + lane % 8]
    }
}

/// What one thread adds up: a group of lanes, for some features.
struct Task<'a> {
    group: Group,
    /// Feature by feature: its number, and its sums of the group.
    tables: Vec<(usize, &'a mut [Line])>,
}

/// Samples of a block that are unpacked and added up before the next ones, all of one ring element.
struct Tile {
    start: usize,
    count: usize,
    /// Whether the sums must be brought down before.
    fold_first: bool,
}

/// The tiles of a block of `samples`; `unfolded` is how many samples have been added since the sums were brought down.
fn tiles(samples: usize, unfolded: &mut usize) -> Vec<Tile> {
    let tile = |start| {
        let count = TILE.min(samples - start);
        let fold_first = *unfolded + count > LAZY_SAMPLES;
        *unfolded = if fold_first { count } else { *unfolded + count };
        Tile {
            start,
            count,
            fold_first,
        }
    };
    (0..samples).step_by(TILE).map(tile).collect()
}

fn out_of_range(what: &str) -> Refusal {
    Refusal::Malformed(format!("{what} holds a number that is out of range"))
}

/// The key of a set-up: bound to the set, the public part and the rows.
fn key_of(
    parameters: &Parameters,
    public_seed: &Seed,
    secret_seed: &Seed,
    columns: Columns<'_>,
) -> Zeroizing<Seed> {
    let parts: [&[u8]; 3] = [parameters.name.as_bytes(), public_seed, &digest(columns)];
    Zeroizing::new(derive(secret_seed, "hanse histogram set-up", &parts))
}

#[cfg(test)]
mod tests {
    use zeroize::ZeroizeOnDrop;

    use super::*;
    use crate::parameters::S100;

    fn host(answered: u64) -> Host {
        let columns = Columns {
            codes: &[0, 1, 2, 1],
            bins: &[3],
            missing: &[0],
            omitted: &[1],
        };
        Host::resume(&S100, &[1; 32], &[2; 32], columns, answered).expect("rows fit")
    }

    #[test]
    fn a_hint_stops_at_its_most_answers_whoever_asks() {
        let size = S100.element_size(4096);
        let host = host(S100.answer_cap() - 5);
        let exhausted = |queries: usize| {
            let dummies = vec![0; queries * size];
            host.begin(queries, &dummies, None).err() == Some(Refusal::HintExhausted)
        };
        assert!(exhausted(3), "two rows of three queries are six answers");
        let refused = (0..4).into_par_iter().filter(|_| exhausted(1)).count();
        assert_eq!(refused, 2);
        assert_eq!(
            host.answered(),
            S100.answer_cap() - 1,
            "a refused query is not counted"
        );
    }

    #[test]
    fn secrets_of_a_host_are_wiped_when_it_goes() {
        fn wiped<T: ZeroizeOnDrop>(_: &T) {}
        wiped(&host(0).dummies);
    }
}
