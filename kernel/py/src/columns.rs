//! Columns in and out of Python: contiguous buffers as slices, seeds as arrays.

use pyo3::buffer::{Element, PyBuffer};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use zeroize::Zeroizing;

/// The numbers of a C-contiguous buffer. The typed faces hand in columns that nobody writes to during the call.
pub fn read<'a, T: Element>(buffer: &'a PyBuffer<T>, name: &str) -> PyResult<&'a [T]> {
    if !buffer.is_c_contiguous() {
        return Err(PyValueError::new_err(format!(
            "{name} must be C-contiguous"
        )));
    }
    if buffer.item_count() == 0 {
        return Ok(&[]);
    }
    // SAFETY: the exporter keeps a contiguous block of `item_count` elements of this type alive while `buffer` lives
    Ok(unsafe { std::slice::from_raw_parts(buffer.buf_ptr().cast(), buffer.item_count()) })
}

/// The places of a writable C-contiguous buffer of exactly `count` numbers. The typed faces allocate it for the call, so
/// that nothing else reads or writes it.
pub fn write<'a, T: Element>(
    buffer: &'a mut PyBuffer<T>,
    count: usize,
    name: &str,
) -> PyResult<&'a mut [T]> {
    if !buffer.is_c_contiguous() || buffer.readonly() || buffer.item_count() != count {
        return Err(PyValueError::new_err(format!(
            "{name} must be a writable C-contiguous buffer of {count} numbers"
        )));
    }
    if count == 0 {
        return Ok(&mut []);
    }
    // SAFETY: as in `read`; the buffer is writable, and the caller owns it alone
    Ok(unsafe { std::slice::from_raw_parts_mut(buffer.buf_ptr().cast(), count) })
}

/// How many texts there are, text i being `data[offsets[i]..offsets[i + 1]]`.
pub fn check_offsets(offsets: &[i64], data: &[u8]) -> PyResult<usize> {
    let rises = offsets.windows(2).all(|pair| pair[0] <= pair[1]);
    match (offsets.first(), offsets.last()) {
        (Some(first), Some(last)) if rises && *first >= 0 && *last <= data.len() as i64 => {
            Ok(offsets.len() - 1)
        }
        _ => Err(PyValueError::new_err(
            "offsets must rise from 0 to the end of data",
        )),
    }
}

/// A 32-byte seed or scalar, wiped when it goes.
pub fn seed(bytes: &[u8], name: &str) -> PyResult<Zeroizing<[u8; 32]>> {
    match bytes.try_into() {
        Ok(array) => Ok(Zeroizing::new(array)),
        Err(_) => Err(PyValueError::new_err(format!(
            "{name} must have 32 bytes, not {}",
            bytes.len()
        ))),
    }
}
