"""The components of this installation: every folder of `hanse.components` that holds a module of its own name."""

import importlib
from functools import cache
from pathlib import Path

import hanse.components
from hanse.core.faults import fault
from hanse.sdk.component import Component


@cache
def names() -> tuple[str, ...]:
    """Return the names of all components, sorted; nothing of them is imported."""
    folders = (folder for root in hanse.components.__path__ for folder in Path(root).iterdir())
    return tuple(sorted(folder.name for folder in folders if (folder / f"{folder.name}.py").is_file()))


def load(name: str) -> Component:
    """Return one component. Raises HanseError("component.unknown")."""
    if name not in names():
        raise fault(
            "component.unknown", f"{name!r} is no component of this installation", f"one of: {', '.join(names())}"
        )
    component = importlib.import_module(f"hanse.components.{name}.{name}").component
    if not isinstance(component, Component) or component.name != name:
        raise TypeError(f"hanse.components.{name}.{name}.component must be a Component named {name!r}")
    return component


def load_all() -> dict[str, Component]:
    """Return all components by name."""
    return {name: load(name) for name in names()}
