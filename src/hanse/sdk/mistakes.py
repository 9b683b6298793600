"""What is wrong with settings by their JSON schema: every mistake, not only the first that a parser meets."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

import msgspec

from hanse.sdk.findings import Finding
from hanse.sdk.params import Clash, Params

SHOWN_CHARACTERS = 60
_place = re.compile(r" - at `\$(.*)`$")
_step = re.compile(r"\.(\w+)|\[(\d+)\]")


class Expected(NamedTuple):
    """What a value must be, in words."""

    en: str
    zh: str


TYPES = {
    "integer": Expected("a whole number", "整数"),
    "number": Expected("a number", "数值"),
    "string": Expected("a text", "文本"),
    "boolean": Expected("true or false", "true 或 false"),
    "array": Expected("a list", "列表"),
    "object": Expected("an object", "对象"),
    "null": Expected("null", "null"),
}
BOUNDS = {
    "minimum": Expected("at least {}", "不小于 {}"),
    "exclusiveMinimum": Expected("above {}", "大于 {}"),
    "maximum": Expected("at most {}", "不大于 {}"),
    "exclusiveMaximum": Expected("below {}", "小于 {}"),
    "minLength": Expected("of {} characters at least", "至少 {} 个字符"),
    "maxLength": Expected("of {} characters at most", "至多 {} 个字符"),
    "minItems": Expected("of {} entries at least", "至少 {} 项"),
    "maxItems": Expected("of {} entries at most", "至多 {} 项"),
    "pattern": Expected("as {} says", "符合 {}"),
}


def find_mistakes(params: type[Params], values: Mapping[str, Any]) -> list[Finding]:
    """Return a finding for each setting that is unknown, missing or wrong; of right ones, for two that clash."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(params)}
    shapes = _shapes(params)
    found = [Finding("setting.unknown", setting=name) for name in values if name not in fields]
    found += [Finding("setting.missing", setting=n) for n, f in fields.items() if f.required and n not in values]
    for name in fields.keys() & values.keys():
        try:
            msgspec.convert(values[name], fields[name].type)
        except msgspec.ValidationError as error:
            found.append(_describe(name, values[name], shapes.get(name, {}), str(error)))
    return found or list(_find_clash(params, values))


def choices(params: type[Params], setting: str, path: Iterable[str | int] = ()) -> tuple[str, ...]:
    """Return the words that a setting may be, where they are listed."""
    shape = _shape_at(_shapes(params).get(setting, {}), path)
    return tuple(choice for choice in shape.get("enum", ()) if isinstance(choice, str))


@cache
def _shapes(params: type[Params]) -> dict[str, Any]:
    shapes: dict[str, Any] = params.schema().get("properties", {})
    return shapes


def _find_clash(params: type[Params], values: Mapping[str, Any]) -> Iterable[Finding]:
    try:
        msgspec.convert(values, params)
    except msgspec.ValidationError as error:
        told = error.__cause__
        chinese, setting = (told.chinese, told.setting) if isinstance(told, Clash) else (str(error), "")
        yield Finding("setting.clash", setting=setting, facts={"message": str(error), "message_zh": chinese})


def _describe(name: str, value: Any, shape: Mapping[str, Any], said: str) -> Finding:
    path = _path(said)
    for step in path:
        value = value[step]
    expected = expect(_shape_at(shape, path))
    facts = {"expected": expected.en, "expected_zh": expected.zh, "value": _show(value)}
    return Finding("setting.invalid", setting=name, path=path, facts=facts)


def _path(said: str) -> tuple[str | int, ...]:
    place = _place.search(said)
    steps = _step.findall(place[1]) if place else []
    return tuple(int(number) if number else key for key, number in steps)


def _shape_at(shape: Mapping[str, Any], path: Iterable[str | int]) -> Mapping[str, Any]:
    for step in path:
        shape = shape.get("items", {}) if isinstance(step, int) else shape.get("properties", {}).get(step, {})
    return shape


def expect(shape: Mapping[str, Any]) -> Expected:
    """Return what a JSON schema demands of a value, in words."""
    if choices := shape.get("enum"):
        listed = ", ".join(map(str, choices))
        return Expected(f"one of {listed}", f"以下之一：{listed}")
    if several := shape.get("anyOf"):
        words = [expect(one) for one in several]
        return Expected(" or ".join(word.en for word in words), "或".join(word.zh for word in words))
    kind = TYPES.get(str(shape.get("type")), Expected("another value", "其他值"))
    bounds = [(BOUNDS[name], limit) for name, limit in shape.items() if name in BOUNDS]
    return Expected(
        " ".join([kind.en, " and ".join(bound.en.format(_plain(limit)) for bound, limit in bounds)]).strip(),
        kind.zh + "".join(f"，{bound.zh.format(_plain(limit))}" for bound, limit in bounds),
    )


def _plain(limit: Any) -> str:
    return f"{limit:,}" if isinstance(limit, int) else f"{limit:g}" if isinstance(limit, float) else str(limit)


def _show(value: Any) -> str:
    shown = msgspec.json.encode(value, enc_hook=str).decode()
    return shown if len(shown) <= SHOWN_CHARACTERS else f"{shown[:SHOWN_CHARACTERS]}…"
