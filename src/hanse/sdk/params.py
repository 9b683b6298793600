"""Settings of a component: typed, bounded, documented. They become the JSON schema and the form."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from hanse.core.faults import fault

P = TypeVar("P", bound="Params")


class Clash(ValueError):
    """Settings that do not go together: why, in English and Chinese, and which one to blame."""

    def __init__(self, english: str, chinese: str, setting: str = "") -> None:
        super().__init__(english)
        self.chinese = chinese
        self.setting = setting


class Params(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of a component's settings: `Annotated[type, msgspec.Meta(title=…, description=…, ge=…)] = default` each.

    A rule that spans two fields goes into `__post_init__` and raises `Clash` in words.
    """

    @classmethod
    def parse(cls: type[P], values: Mapping[str, Any]) -> P:
        """Return the settings that `values` say. Raises HanseError("settings.invalid") that names the setting."""
        try:
            return msgspec.convert(values, cls)
        except msgspec.ValidationError as error:
            remedy = "correct the setting; the component's page lists names, types and bounds"
            raise fault("settings.invalid", str(error), remedy) from error

    def checked(self: P) -> P:
        """Return these settings, checked as if they had come from outside."""
        return type(self).parse(self.values())

    def values(self) -> dict[str, Any]:
        """Return the settings as plain values, as a pipeline holds them."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """Return the JSON schema, without a `$ref` at the top: `type`, `properties` with title, description, bounds."""
        (top,), definitions = msgspec.json.schema_components([cls])
        found: dict[str, Any] = definitions.pop(str(top["$ref"]).rsplit("/", 1)[-1])
        found.pop("title", None)
        return {**found, "$defs": definitions} if definitions else found
