"""Columns of text between Arrow and packed buffers, as bytes and never row by row.

Through the Arrow C data interface (https://arrow.apache.org/docs/format/CDataInterface.html) and its Python capsules
(https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html).
"""

from __future__ import annotations

import ctypes
from itertools import count

import numpy as np
from arro3.core import Array, DataType

from hanse.kernel.ids import Ids


class _ArrowArray(ctypes.Structure):
    _fields_ = (
        ("length", ctypes.c_int64),
        ("null_count", ctypes.c_int64),
        ("offset", ctypes.c_int64),
        ("n_buffers", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("buffers", ctypes.POINTER(ctypes.c_void_p)),
        ("children", ctypes.c_void_p),
        ("dictionary", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    )


_NAME = b"arrow_array"
_capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_capsule_pointer.restype = ctypes.c_void_p
_capsule_pointer.argtypes = (ctypes.py_object, ctypes.c_char_p)
_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype = ctypes.py_object
_new_capsule.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)

_lent: dict[int, object] = {}  # the buffers that Arrow arrays look at, by `private_data`, until they are released
_numbers = count(1)


def _let_go(address: int) -> None:
    array = _ArrowArray.from_address(address)
    _lent.pop(array.private_data, None)
    array.release = None


_release = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(_let_go)


def strings(ids: Ids) -> Array:
    """Return ids as an Arrow column of strings (64-bit offsets) that looks at their buffers."""
    addresses = (None, ids.offsets.ctypes.data, ids.data.ctypes.data)  # no validity: none is NULL
    buffers = (ctypes.c_void_p * 3)(*addresses)
    number = next(_numbers)
    array = _ArrowArray(
        length=len(ids),
        n_buffers=3,
        buffers=buffers,
        release=ctypes.cast(_release, ctypes.c_void_p),
        private_data=number,
    )
    _lent[number] = (buffers, ids)
    capsule = _new_capsule(ctypes.addressof(array), _NAME, None)
    return Array.from_arrow_pycapsule(DataType.large_string().__arrow_c_schema__(), capsule)


def packed(column: Array) -> Ids:
    """Copy an Arrow column of strings (32-bit offsets); a NULL becomes an empty text."""
    if column.type != DataType.string():
        raise TypeError(f"expected an Arrow string column, got {column.type}")
    _, capsule = column.__arrow_c_array__()
    array = _ArrowArray.from_address(_capsule_pointer(capsule, _NAME))
    if array.length == 0:
        return Ids(np.empty(0, np.uint8), np.zeros(1, np.int64))
    first = array.buffers[1] + 4 * array.offset
    offsets = np.ctypeslib.as_array(ctypes.cast(first, ctypes.POINTER(ctypes.c_int32)), (array.length + 1,))
    start, stop = int(offsets[0]), int(offsets[-1])
    if start == stop:
        return Ids(np.empty(0, np.uint8), offsets.astype(np.int64) - start)
    data = np.ctypeslib.as_array(ctypes.cast(array.buffers[2], ctypes.POINTER(ctypes.c_uint8)), (stop,))
    return Ids(data[start:].copy(), offsets.astype(np.int64) - start)
