"""Templates: pipelines with blanks, each named, typed and described, and how they are filled."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import msgspec

from hanse.core.faults import HanseError, fault
from hanse.core.specs import Name, PipelineSpec
from hanse.core.words import PRINTABLE, Label

N = TypeVar("N", int, float)
MARK = "blank"
"""Where a pipeline says `{"blank": NAME}` and nothing else, it takes the value of the blank of that name."""

MOST_BLANKS, MOST_WORDS = 50, 200
MOST_LETTERS = 200
MOST_LEVELS = 32

BlankKind = Literal["text", "project", "organisation", "dataset", "columns", "model", "integer", "number", "choice"]
Words = Annotated[dict[Literal["en", "zh"], Label], msgspec.Meta(min_length=1)]
Text = Annotated[dict[Literal["en", "zh"], Annotated[str, msgspec.Meta(max_length=2000)]], msgspec.Meta(min_length=1)]


class Blank(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One thing that whoever uses a template says, or may say when it has a `default` or is `optional`.

    `at_least` and `at_most` bound an `integer` or a `number`, `choices` are those of a `choice`. What is optional and
    not said is left out of the pipeline, key and all.
    """

    name: Name
    kind: BlankKind
    title: Words
    description: Text | None = None
    default: str | int | float | list[str] | None = None
    optional: bool = False
    at_least: float | None = None
    at_most: float | None = None
    choices: tuple[str, ...] = ()


class TemplateSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A pipeline with blanks; `pipeline` is that of a `PipelineSpec`, with marks in the places of values."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=PRINTABLE)]
    title: Words
    pipeline: dict[str, Any]
    blanks: Annotated[tuple[Blank, ...], msgspec.Meta(max_length=MOST_BLANKS)] = ()
    description: Text | None = None


class BlankProblem(NamedTuple):
    """What is wrong with the value of a blank, in words of both languages."""

    blank: str
    message: Mapping[str, str]


class _Refused(ValueError):
    """A value that a blank does not take: why, in English and in Chinese."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.message = {"en": en, "zh": zh}


def fill(template: TemplateSpec, values: Mapping[str, Any]) -> PipelineSpec:
    """Return the pipeline of a template with these values.

    A value may be a text, as a command line gives it: "12", "income,age". Raises `template.values` with every problem,
    each after the name of its blank, and `pipeline.invalid` when what comes of it is no pipeline.
    """
    read, problems = read_values(template, values)
    if problems:
        raise fault("template.values", "; ".join(f"{blank}: {message['en']}" for blank, message in problems))
    try:
        return msgspec.convert(_put(template.pipeline, read), PipelineSpec)
    except msgspec.ValidationError as error:
        raise fault("pipeline.invalid", f"template {template.name!r}: {error}") from error


def read_values(template: TemplateSpec, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[BlankProblem]]:
    """Return the value of each blank by its name, defaults included, and everything that is wrong with them."""
    names = [blank.name for blank in template.blanks]
    known = ", ".join(names) or "-"
    unknown = {"en": f"the template has no such blank, it has {known}", "zh": f"模板没有这一填空；已有：{known}"}
    problems = [BlankProblem(name, unknown) for name in values if name not in names]
    read: dict[str, Any] = {}
    for blank in template.blanks:
        try:
            read[blank.name] = _read(blank, values.get(blank.name))
        except _Refused as refused:
            problems.append(BlankProblem(blank.name, refused.message))
    return read, problems


def _read(blank: Blank, said: Any) -> Any:
    value = blank.default if said is None else said
    if value is not None:
        return _READERS[blank.kind](blank, value)
    if blank.optional:
        return msgspec.UNSET
    raise _Refused(f"say {_title(blank, 'en')} ({blank.kind})", f"请填写：{_title(blank, 'zh')}（{blank.kind}）")


def demand_sound(template: TemplateSpec) -> None:
    """Raise `template.invalid`, with every problem, unless each mark has its blank, each blank its mark and use."""
    found = list(_find_faults(template))
    if found:
        raise fault("template.invalid", "; ".join(found))


def _find_faults(template: TemplateSpec) -> Iterator[str]:
    marked = _marks(template.pipeline)
    if marked is None:
        yield f"the pipeline is nested more than {MOST_LEVELS} deep"
        return
    names = [blank.name for blank in template.blanks]
    found = [f"{name}: the pipeline names it, but it is not described" for name in sorted(marked - {*names})]
    found += [f"{name}: the pipeline has no such place" for name in names if name not in marked]
    found += [f"{name}: it is described twice" for name in sorted({n for n in names if names.count(n) > 1})]
    for blank in template.blanks:
        if (blank.kind == "choice") != bool(blank.choices):
            found.append(f"{blank.name}: a choice, and nothing else, has `choices`")
        elif blank.default is not None:
            try:
                _read(blank, blank.default)
            except _Refused as error:
                found.append(f"{blank.name}: its default: {error}")
    yield from found or _try(template)


def _try(template: TemplateSpec) -> list[str]:
    """Say whether values of the right kinds make a pipeline."""
    try:
        fill(template, {blank.name: _example(blank) for blank in template.blanks if blank.default is None})
    except HanseError as error:
        return [error.fault.cause]
    return []


def _example(blank: Blank) -> Any:
    if blank.kind in ("integer", "number"):
        edge = blank.at_least if blank.at_least is not None else blank.at_most
        return int(edge or 0) if blank.kind == "integer" else edge or 0.0
    return {"choice": blank.choices[0] if blank.choices else "", "columns": ["column"]}.get(blank.kind, blank.name)


def _marks(pipeline: dict[str, Any]) -> set[str] | None:
    """Return the names of the blanks that a pipeline marks; None when it is nested too deep."""
    names: set[str] = set()
    level: list[Any] = [pipeline]
    for _ in range(MOST_LEVELS):
        inner: list[Any] = []
        for value in level:
            name = _marked(value)
            if name is not None:
                names.add(name)
            elif isinstance(value, dict | list):
                inner += value.values() if isinstance(value, dict) else value
        if not inner:
            return names
        level = inner
    return None


def _marked(value: Any) -> str | None:
    is_mark = isinstance(value, dict) and value.keys() == {MARK} and isinstance(value[MARK], str)
    return value[MARK] if is_mark else None


def _put(value: Any, read: Mapping[str, Any]) -> Any:
    name = _marked(value)
    if name is not None:
        return read.get(name, msgspec.UNSET)
    if isinstance(value, dict):
        filled = {key: _put(inner, read) for key, inner in value.items()}
        return {key: inner for key, inner in filled.items() if inner is not msgspec.UNSET}
    if isinstance(value, list):
        return [inner for inner in (_put(inner, read) for inner in value) if inner is not msgspec.UNSET]
    return value


def _title(blank: Blank, language: Literal["en", "zh"]) -> str:
    return blank.title.get(language) or next(iter(blank.title.values()))


_unprintable = re.compile(r"[\x00-\x1f\x7f]")


def _read_text(_blank: Blank, value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > MOST_LETTERS or _unprintable.search(value):
        raise _Refused(
            f"it is a text of 1 to {MOST_LETTERS} printable characters", f"应为 1 至 {MOST_LETTERS} 个可显示的字符"
        )
    return value


def _read_model(blank: Blank, value: Any) -> str:
    text = _read_text(blank, value)
    return text if text.startswith("model:") else f"model:{text}"


def _read_columns(blank: Blank, value: Any) -> list[str]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list) or not 1 <= len(names) <= MOST_WORDS * 10:
        raise _Refused("it is a list of columns: income,age", "应为列名的列表：income,age")
    found = [_read_text(blank, name).strip() for name in names]
    if len(set(found)) < len(found):
        raise _Refused("it names a column twice", "同一列出现了两次")
    return found


def _read_integer(blank: Blank, value: Any) -> int:
    number = _number(int, value)
    if isinstance(value, bool) or number is None or (isinstance(value, float) and not value.is_integer()):
        raise _Refused(f"{value!r} is no whole number", f"{value!r} 不是整数")
    return _bounded(blank, number)


def _read_number(blank: Blank, value: Any) -> float:
    number = _number(float, value)
    if isinstance(value, bool) or number is None or number - number != 0:
        raise _Refused(f"{value!r} is no number", f"{value!r} 不是数")
    return _bounded(blank, number)


def _read_choice(blank: Blank, value: Any) -> str:
    if not isinstance(value, str) or value not in blank.choices:
        known = ", ".join(blank.choices)
        raise _Refused(f"{value!r} is none of {known}", f"{value!r} 不在可选值之中：{known}")
    return value


def _number(kind: type[N], value: Any) -> N | None:
    try:
        return kind(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _bounded(blank: Blank, number: N) -> N:
    if blank.at_least is not None and number < blank.at_least:
        raise _Refused(f"{number} is less than {blank.at_least:g}", f"{number} 小于 {blank.at_least:g}")
    if blank.at_most is not None and number > blank.at_most:
        raise _Refused(f"{number} is more than {blank.at_most:g}", f"{number} 大于 {blank.at_most:g}")
    return number


_READERS: dict[BlankKind, Callable[[Blank, Any], Any]] = {
    "text": _read_text,
    "project": _read_text,
    "organisation": _read_text,
    "dataset": _read_text,
    "columns": _read_columns,
    "model": _read_model,
    "integer": _read_integer,
    "number": _read_number,
    "choice": _read_choice,
}
