//! Face of `hanse_kernel::histogram`.

use hanse_kernel::histogram::{Guest, Hint, Host, Query, Refusal};
use hanse_kernel::parameters::{Parameters, SETS};
use hanse_kernel::threads;
use pyo3::buffer::PyBuffer;
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;
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
    module.add_class::<HistogramQuery>()?;
    module.add_class::<HistogramHint>()?;
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

#[pyfunction]
fn histogram_set_for(samples: usize, largest_row: usize) -> &'static str {
    Parameters::choose(samples, largest_row).name
}

#[pyclass(frozen, module = "hanse.kernel._kernel")]
struct HistogramHost(Host);

#[pymethods]
impl HistogramHost {
    #[staticmethod]
    fn set_up(
        py: Python<'_>,
        name: &str,
        public_seed: &[u8],
        secret_seed: &[u8],
        codes: PyBuffer<u8>,
        bins: PyBuffer<i32>,
        omitted: PyBuffer<i32>,
    ) -> PyResult<Self> {
        let parameters = named(name)?;
        let public_seed = columns::seed(public_seed, "public_seed")?;
        let secret_seed = columns::seed(secret_seed, "secret_seed")?;
        let codes = columns::read(&codes, "codes")?.to_vec();
        let (bins, omitted) = (
            columns::read(&bins, "bins")?,
            columns::read(&omitted, "omitted")?,
        );
        let work = || Host::set_up(parameters, &public_seed, &secret_seed, codes, bins, omitted);
        py.detach(|| threads::run(work)).map(Self).map_err(refuse)
    }

    #[getter]
    fn rows(&self) -> usize {
        self.0.rows()
    }

    #[getter]
    fn answered(&self) -> u64 {
        self.0.answered()
    }

    fn hint<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.hint())
    }

    fn answer<'py>(
        &self,
        py: Python<'py>,
        query: PyBuffer<u8>,
        flood_seed: &[u8],
    ) -> PyResult<Bound<'py, PyBytes>> {
        let query = columns::read(&query, "query")?;
        let flood_seed = columns::seed(flood_seed, "flood_seed")?;
        let answer = py
            .detach(|| threads::run(|| self.0.answer(query, &flood_seed)))
            .map_err(refuse)?;
        Ok(PyBytes::new(py, &answer))
    }
}

#[pyclass(frozen, module = "hanse.kernel._kernel")]
struct HistogramGuest(Guest);

#[pymethods]
impl HistogramGuest {
    #[new]
    fn new(py: Python<'_>, name: &str, public_seed: &[u8], samples: usize) -> PyResult<Self> {
        let parameters = named(name)?;
        let public_seed = columns::seed(public_seed, "public_seed")?;
        py.detach(|| threads::run(|| Guest::new(parameters, &public_seed, samples)))
            .map(Self)
            .map_err(refuse)
    }

    fn encrypt(
        &self,
        py: Python<'_>,
        gradients: PyBuffer<i32>,
        hessians: PyBuffer<i32>,
        seed: &[u8],
    ) -> PyResult<HistogramQuery> {
        let (gradients, hessians) = (
            columns::read(&gradients, "g")?,
            columns::read(&hessians, "h")?,
        );
        let seed = columns::seed(seed, "seed")?;
        let query = py.detach(|| threads::run(|| self.0.encrypt(gradients, hessians, &seed)));
        query.map(HistogramQuery).map_err(refuse)
    }

    /// Writes the sums of every row of the hint into both outputs.
    fn decrypt(
        &self,
        py: Python<'_>,
        query: &HistogramQuery,
        hint: &HistogramHint,
        answer: PyBuffer<u8>,
        mut gradient_sums: PyBuffer<i64>,
        mut hessian_sums: PyBuffer<i64>,
    ) -> PyResult<()> {
        let answer = columns::read(&answer, "answer")?;
        let gradient_sums = columns::write(&mut gradient_sums, hint.0.rows(), "gradient_sums")?;
        let hessian_sums = columns::write(&mut hessian_sums, hint.0.rows(), "hessian_sums")?;
        let sums = py
            .detach(|| threads::run(|| self.0.decrypt(&query.0, &hint.0, answer)))
            .map_err(refuse)?;
        gradient_sums.copy_from_slice(&sums.gradients);
        hessian_sums.copy_from_slice(&sums.hessians);
        Ok(())
    }
}

#[pyclass(frozen, module = "hanse.kernel._kernel")]
struct HistogramQuery(Query);

#[pymethods]
impl HistogramQuery {
    #[getter]
    fn ciphertext<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.ciphertext())
    }
}

#[pyclass(frozen, module = "hanse.kernel._kernel")]
struct HistogramHint(Hint);

#[pymethods]
impl HistogramHint {
    #[staticmethod]
    fn parse(py: Python<'_>, name: &str, data: PyBuffer<u8>, rows: usize) -> PyResult<Self> {
        let parameters = named(name)?;
        let data = columns::read(&data, "hint")?;
        py.detach(|| threads::run(|| Hint::parse(parameters, data, rows)))
            .map(Self)
            .map_err(refuse)
    }

    #[getter]
    fn rows(&self) -> usize {
        self.0.rows()
    }
}
