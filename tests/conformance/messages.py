"""The declared messages of a component, and the junk that can be made of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np
from msgspec import inspect

from hanse.protocols.messages import Message, decode
from hanse.sdk.component import Component

Junk = Callable[[bytes], bytes]


class Stranger(Message, frozen=True):
    """nobody → anybody: a message that no component knows."""

    word: str = "?"


def declared(component: Component) -> dict[str, type[Message]]:
    """Return the messages that the component's folder and `hanse.protocols` declare, by name; its own come first."""
    return _named("hanse.protocols.") | _named(f"hanse.components.{component.name}.")


def _named(package: str) -> dict[str, type[Message]]:
    found: dict[str, type[Message]] = {}
    for kind in _all(Message):
        module, name = kind.__module__, str(kind.__struct_config__.tag)
        if module.startswith(package) and module in sys.modules and not module.endswith("_test"):
            other = found.setdefault(name, kind)
            assert other is kind, f"two messages are called {name}: of {other.__module__} and of {module}"
    return found


def _all(kind: type[Message]) -> Iterator[type[Message]]:
    for below in kind.__subclasses__():
        yield below
        yield from _all(below)


def list_junk(payload: bytes, kind: type[Message]) -> dict[str, Junk]:
    """Return what can be sent in place of a message like this one, by name; each replaces the payload at its turn."""
    junk: dict[str, Junk] = {
        "empty": lambda _: b"",
        "one byte short": lambda raw: raw[:-1],
        "another kind": lambda _: Stranger().encode(),
    }
    message = decode(payload, kind)
    for field in inspect.type_info(kind).fields:  # type: ignore[attr-defined]
        if isinstance(getattr(message, field.name), np.ndarray):
            junk[f"{field.name} one longer"] = _changing(
                kind, field.name, lambda array: np.append(array, array[-1:] if len(array) else 0).astype(array.dtype)
            )
        for end, value in _beyond(field.type):
            junk[f"{field.name} {end}"] = _changing(kind, field.name, _constantly(value))
    return junk


def _constantly(value: Any) -> Callable[[Any], Any]:
    return lambda _: value


def _changing(kind: type[Message], name: str, change: Callable[[Any], Any]) -> Junk:
    def changed(raw: bytes) -> bytes:
        message = decode(raw, kind)
        return msgspec.structs.replace(message, **{name: change(getattr(message, name))}).encode()

    return changed


def _beyond(field: inspect.Type) -> Iterator[tuple[str, Any]]:
    """Yield numbers just outside the declared bounds of a field."""
    if isinstance(field, inspect.IntType | inspect.FloatType):
        if field.ge is not None or field.gt is not None:
            yield "below its bound", field.gt if field.gt is not None else field.ge - 1  # type: ignore[operator]
        if field.le is not None or field.lt is not None:
            yield "above its bound", field.lt if field.lt is not None else field.le + 1  # type: ignore[operator]
