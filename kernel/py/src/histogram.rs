//! Face of `hanse_kernel::histogram`.

use std::sync::{Arc, Mutex};

use hanse_kernel::histogram::{
    BLOCK, Columns, Guest, Hint, Host, Level, MAX_QUERIES, Plane, Refusal, Summing,
};
use hanse_kernel::parameters::{Parameters, Precision, SETS};
use hanse_kernel::threads;
use pyo3::buffer::PyBuffer;
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::columns;

create_exception!(
    hanse.kernel._kernel,
    NoiseBudget,
    PyException,
    "An answer lies outside the noise budget."
);
create_exception!(
    hanse.kernel._kernel,
    HintExhausted,
    PyException,
    "A hint has served its most answers."
);

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("NoiseBudget", module.py().get_type::<NoiseBudget>())?;
    module.add("HintExhausted", module.py().get_type::<HintExhausted>())?;
    module.add_class::<HistogramSet>()?;
    module.add_class::<HistogramHost>()?;
    module.add_class::<HistogramGuest>()?;
    module.add_class::<HistogramLevel>()?;
    module.add_class::<HistogramSumming>()?;
    module.add_class::<HistogramHint>()?;
    module.add("HISTOGRAM_BLOCK", BLOCK)?;
    module.add("HISTOGRAM_MAX_QUERIES", MAX_QUERIES)?;
    module.add_function(wrap_pyfunction!(histogram_sets, module)?)?;
    module.add_function(wrap_pyfunction!(histogram_set_for, module)?)
}

fn refuse(refusal: Refusal) -> PyErr {
    let text = refusal.to_string();
    match refusal {
        Refusal::Invalid(_) | Refusal::Malformed(_) => PyValueError::new_err(text),
        Refusal::NoiseBudget => NoiseBudget::new_err(text),
        Refusal::HintExhausted => HintExhausted::new_err(text),
    }
}

fn named(name: &str) -> PyResult<&'static Parameters> {
    Parameters::named(name).ok_or_else(|| {
        PyValueError::new_err(format!("there is no histogram parameter set {name:?}"))
    })
}

/// What Python may know of a parameter set.
#[pyclass(frozen, get_all, module = "hanse.kernel._kernel")]
struct HistogramSet {
    name: &'static str,
    ring_degree: usize,
    primes: Vec<u64>,
    modulus_bits: u32,
    gradient_bits: u32,
    hessian_bits: u32,
    max_row_samples: usize,
    max_samples: usize,
    flood_bits: u32,
    answer_cap: u64,
    hint_row_size: usize,
}

#[pymethods]
impl HistogramSet {
    fn margin(&self, row_samples: usize) -> f64 {
        Parameters::named(self.name).map_or(0.0, |set| set.margin(row_samples))
    }
}

#[pyfunction]
fn histogram_sets() -> Vec<HistogramSet> {
    let describe = |set: &'static Parameters| HistogramSet {
        name: set.name,
        ring_degree: set.ring_degree,
        primes: set.primes.to_vec(),
        modulus_bits: set.modulus_bits(),
        gradient_bits: set.gradient_bits,
        hessian_bits: set.hessian_bits,
        max_row_samples: set.max_row_samples(),
        max_samples: set.max_samples(),
        flood_bits: set.flood_bits,
        answer_cap: set.answer_cap(),
        hint_row_size: set.hint_size(1),
    };
    SETS.into_iter().map(describe).collect()
}

/// The name of the set for a job, none when no set fits.
#[pyfunction]
fn histogram_set_for(
    samples: usize,
    largest_row: usize,
    answers: u64,
    precision: &str,
) -> PyResult<Option<&'static str>> {
    let precision = match precision {
        "coarse" => Precision::Coarse,
        "medium" => Precision::Medium,
        "fine" => Precision::Fine,
        other => {
            return Err(PyValueError::new_err(format!(
                "precision is coarse, medium or fine, not {other:?}"
            )));
        }
    };
    let set = Parameters::choose(samples, largest_row, answers, precision);
    Ok(set.map(|set| set.name))
}

/// New bytes of this size, written by `work` without the interpreter's lock.
fn written<'py>(
    py: Python<'py>,
    size: usize,
    work: impl FnOnce(&mut [u8]) -> Result<(), Refusal> + Send,
) -> PyResult<Bound<'py, PyBytes>> {
    PyBytes::new_with(py, size, |out| {
        py.detach(|| threads::run(|| work(out))).map_err(refuse)
    })
}

#[pyclass(frozen, module = "hanse.kernel._kernel")]
struct HistogramHost {
    host: Arc<Host>,
    hint: Option<Py<PyBytes>>,
}

#[pymethods]
impl HistogramHost {
    /// With `answered`, the same set-up again: no hint is made.
    #[staticmethod]
    #[expect(clippy::too_many_arguments, reason = "the typed face names them")]
    fn set_up(
        py: Python<'_>,
        name: &str,
        public_seed: &[u8],
        secret_seed: &[u8],
        codes: PyBuffer<u8>,
        bins: PyBuffer<i32>,
        missing: PyBuffer<u8>,
        omitted: PyBuffer<i32>,
        answered: Option<u64>,
    ) -> PyResult<Self> {
        let parameters = named(name)?;
        let public_seed = columns::seed(public_seed, "public_seed")?;
        let secret_seed = columns::seed(secret_seed, "secret_seed")?;
        let columns = Columns {
            codes: columns::read(&codes, "codes")?,
            bins: columns::read(&bins, "bins")?,
            missing: columns::read(&missing, "missing")?,
            omitted: columns::read(&omitted, "omitted")?,
        };
        let work = || match answered {
            Some(answered) => {
                Host::resume(parameters, &public_seed, &secret_seed, columns, answered)
                    .map(|host| (host, None))
            }
            None => Host::set_up(parameters, &public_seed, &secret_seed, columns)
                .map(|(host, hint)| (host, Some(hint))),
        };
        let (host, hint) = py.detach(|| threads::run(work)).map_err(refuse)?;
        Ok(Self {
            host: Arc::new(host),
            hint: hint.map(|hint| PyBytes::new(py, &hint).unbind()),
        })
    }

    #[getter]
    fn rows(&self) -> usize {
        self.host.rows()
    }

    #[getter]
    fn rows_of_features(&self) -> Vec<usize> {
        self.host.rows_of_features()
    }

    #[getter]
    fn largest_row(&self) -> usize {
        self.host.largest_row()
    }

    #[getter]
    fn answered(&self) -> u64 {
        self.host.answered()
    }

    /// None after a set-up that was resumed.
    fn hint(&self, py: Python<'_>) -> Option<Py<PyBytes>> {
        self.hint.as_ref().map(|hint| hint.clone_ref(py))
    }

    fn begin(
        &self,
        py: Python<'_>,
        queries: usize,
        dummies: PyBuffer<u8>,
        mask: Option<PyBuffer<u8>>,
    ) -> PyResult<HistogramSumming> {
        let dummies = columns::read(&dummies, "dummies")?;
        let mask = mask
            .as_ref()
            .map(|mask| columns::read(mask, "features"))
            .transpose()?;
        let host = Arc::clone(&self.host);
        let summing = py
            .detach(|| threads::run(|| host.begin(queries, dummies, mask)))
            .map_err(refuse)?;
        Ok(HistogramSumming {
            host,
            summing: Mutex::new(Some(summing)),
        })
    }
}

#[pyclass(frozen, module = "hanse.kernel._kernel")]
struct HistogramSumming {
    host: Arc<Host>,
    summing: Mutex<Option<Summing>>,
}

impl HistogramSumming {
    /// Takes the state out for one call; two calls at a time, or one after the end, are refused.
    fn take(&self) -> PyResult<Summing> {
        let mut place = self
            .summing
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        place.take().ok_or_else(|| {
            PyValueError::new_err("this level is finished, was refused a block, or is in use")
        })
    }

    fn put(&self, summing: Summing) {
        let mut place = self
            .summing
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        *place = Some(summing);
    }
}

#[pymethods]
impl HistogramSumming {
    fn add(&self, py: Python<'_>, block: PyBuffer<u8>) -> PyResult<()> {
        let block = columns::read(&block, "block")?;
        let mut summing = self.take()?;
        let host = &self.host;
        let (summing, done) = py.detach(|| {
            threads::run(move || {
                let done = host.add(&mut summing, block);
                (summing, done)
            })
        });
        done.map_err(refuse)?;
        self.put(summing);
        Ok(())
    }

    fn finish<'py>(&self, py: Python<'py>, flood_seed: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let flood_seed = columns::seed(flood_seed, "flood_seed")?;
        let summing = self.take()?;
        let host = &self.host;
        let answers = py
            .detach(|| threads::run(|| host.finish(summing, &flood_seed)))
            .map_err(refuse)?;
        Ok(PyBytes::new(py, &answers))
    }
}

#[pyclass(frozen, module = "hanse.kernel._kernel")]
struct HistogramGuest(Arc<Guest>);

/// The columns of one plane.
type PlaneColumns = (PyBuffer<i32>, PyBuffer<i32>, PyBuffer<u16>, usize);

#[pymethods]
impl HistogramGuest {
    #[new]
    fn new(py: Python<'_>, name: &str, public_seed: &[u8], samples: usize) -> PyResult<Self> {
        let parameters = named(name)?;
        let public_seed = columns::seed(public_seed, "public_seed")?;
        py.detach(|| threads::run(|| Guest::new(parameters, &public_seed, samples)))
            .map(|guest| Self(Arc::new(guest)))
            .map_err(refuse)
    }

    fn begin(
        &self,
        py: Python<'_>,
        planes: Vec<PlaneColumns>,
        seed: &[u8],
    ) -> PyResult<HistogramLevel> {
        let seed = columns::seed(seed, "seed")?;
        let planes = planes
            .iter()
            .map(|(g, h, slots, queries)| {
                Ok(Plane {
                    gradients: columns::read(g, "g")?,
                    hessians: columns::read(h, "h")?,
                    slots: columns::read(slots, "slots")?,
                    queries: *queries,
                })
            })
            .collect::<PyResult<Vec<_>>>()?;
        let level = py
            .detach(|| threads::run(|| self.0.begin(&planes, &seed)))
            .map_err(refuse)?;
        Ok(HistogramLevel {
            guest: Arc::clone(&self.0),
            level,
        })
    }
}

#[pyclass(frozen, module = "hanse.kernel._kernel")]
struct HistogramLevel {
    guest: Arc<Guest>,
    level: Level,
}

#[pymethods]
impl HistogramLevel {
    #[getter]
    fn queries(&self) -> usize {
        self.level.queries()
    }

    #[getter]
    fn blocks(&self) -> usize {
        self.guest.blocks()
    }

    fn dummies<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let size = self.guest.dummies_size(&self.level);
        written(py, size, |out| self.guest.dummies(&self.level, out))
    }

    fn encrypt<'py>(&self, py: Python<'py>, block: usize) -> PyResult<Bound<'py, PyBytes>> {
        let size = self.guest.block_size(&self.level, block);
        written(py, size, |out| self.guest.encrypt(&self.level, block, out))
    }

    /// Writes the sums of every query and answered row into both outputs.
    fn decrypt(
        &self,
        py: Python<'_>,
        hint: &HistogramHint,
        answers: PyBuffer<u8>,
        mask: Option<PyBuffer<u8>>,
        mut gradient_sums: PyBuffer<i64>,
        mut hessian_sums: PyBuffer<i64>,
    ) -> PyResult<()> {
        let answers = columns::read(&answers, "answers")?;
        let mask = mask
            .as_ref()
            .map(|mask| columns::read(mask, "features"))
            .transpose()?;
        let count = hint.0.chosen_rows(mask).map_err(refuse)? * self.level.queries();
        let gradient_sums = columns::write(&mut gradient_sums, count, "gradient_sums")?;
        let hessian_sums = columns::write(&mut hessian_sums, count, "hessian_sums")?;
        let sums = py
            .detach(|| threads::run(|| self.guest.decrypt(&self.level, &hint.0, answers, mask)))
            .map_err(refuse)?;
        gradient_sums.copy_from_slice(&sums.gradients);
        hessian_sums.copy_from_slice(&sums.hessians);
        Ok(())
    }
}

#[pyclass(frozen, module = "hanse.kernel._kernel")]
struct HistogramHint(Hint<PyBackedBytes>);

#[pymethods]
impl HistogramHint {
    /// `rows` are the rows of each feature.
    #[staticmethod]
    fn parse(py: Python<'_>, name: &str, data: PyBackedBytes, rows: Vec<usize>) -> PyResult<Self> {
        let parameters = named(name)?;
        py.detach(|| threads::run(|| Hint::parse(parameters, data, &rows)))
            .map(Self)
            .map_err(refuse)
    }

    #[getter]
    fn rows(&self) -> usize {
        self.0.rows()
    }

    fn chosen_rows(&self, mask: Option<PyBuffer<u8>>) -> PyResult<usize> {
        let mask = mask
            .as_ref()
            .map(|mask| columns::read(mask, "features"))
            .transpose()?;
        self.0.chosen_rows(mask).map_err(refuse)
    }
}
