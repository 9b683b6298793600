"""Messages: declared, typed, parsed on receipt. Nothing else crosses the wire.

A message is a MessagePack array: its name, then its fields. A numpy field (`NDArray[np.float64]`, one axis) travels as
its raw little-endian buffer; its length is the receiver's to check. No code, no pickle, no field that was not declared.
"""

from typing import Any, ClassVar, TypeVar, get_args

import msgspec
import numpy as np

M = TypeVar("M", bound="Message")


class Message(msgspec.Struct, tag=True, array_like=True, frozen=True, forbid_unknown_fields=True):
    """Base of all that crosses the wire. The docstring of a message names its sender and its receiver.

    `max_bytes` is the cap on the encoded size; a component raises it for the messages that carry columns.
    """

    max_bytes: ClassVar[int] = 1 << 20

    def encode(self) -> bytes:
        """Return the wire form. Raises ValueError above the cap: a fault of our own, never to be sent."""
        payload = msgspec.msgpack.encode(self, enc_hook=_buffer)
        if len(payload) > self.max_bytes:
            raise ValueError(f"{type(self).__name__} of {len(payload)} bytes is above its cap of {self.max_bytes}")
        return payload


def decode(payload: bytes, kind: type[M]) -> M:
    """Parse `payload` as a `kind`. Raises ValueError in words when it is anything else."""
    if len(payload) > kind.max_bytes:
        raise ValueError(f"{len(payload)} bytes, above the cap of {kind.max_bytes} of {kind.__name__}")
    try:
        return msgspec.msgpack.decode(payload, type=kind, dec_hook=_array)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise ValueError(f"no {kind.__name__}: {error}") from error


def kind_of(payload: bytes) -> str:
    """Return the name that an encoded message carries, or `?`: for recorders and transcripts."""
    try:
        match msgspec.msgpack.decode(payload):
            case [str(name), *_]:
                return name
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    return "?"


def _buffer(value: Any) -> memoryview:
    if not isinstance(value, np.ndarray) or value.ndim != 1:
        raise TypeError(f"a field of type {type(value).__name__} does not cross the wire")
    little = np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<"))
    return little.view(np.uint8).data


def _array(kind: Any, raw: Any) -> Any:
    dtype = np.dtype(get_args(get_args(kind)[1])[0]).newbyteorder("<")
    if not isinstance(raw, bytes) or len(raw) % dtype.itemsize:
        raise ValueError(f"expected a buffer of {dtype.name} values")
    array = np.frombuffer(raw, dtype=dtype)
    if dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError("expected finite numbers")
    return array
