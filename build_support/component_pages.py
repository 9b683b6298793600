"""Write docs/components from the catalogue, or say which page is stale.

    python build_support/component_pages.py write | check

A page says what the component's card says (header, ports, settings in both languages), and nothing else.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hanse.core.planning import ComponentCard
from hanse.runtime.catalogue import load_all

PAGES = Path(__file__).resolve().parent.parent / "docs" / "components"
BOUNDS = {"minimum": "≥ ", "exclusiveMinimum": "> ", "maximum": "≤ ", "exclusiveMaximum": "< "}
NOTE = "<!-- written by `make docs` from the component itself; edits here are lost -->\n"


def render_table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [headings, ("---",) * len(headings), *rows]
    return "".join(
        f"| {' | '.join(cell.replace('|', '&#124;').replace(chr(10), ' ') for cell in line)} |\n" for line in lines
    )


def name_type(shape: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """A setting's type in words: `integer`, `one of …`, `list of string`."""
    if "$ref" in shape:
        return name_type(definitions.get(shape["$ref"].rsplit("/", 1)[-1], {}), definitions)
    if "enum" in shape:
        return "one of " + ", ".join(f"`{json.dumps(choice)}`" for choice in shape["enum"])
    if "anyOf" in shape:
        return " or ".join(name_type(choice, definitions) for choice in shape["anyOf"])
    if shape.get("type") == "array":
        return "list of " + name_type(shape.get("items", {}), definitions)
    return str(shape.get("type", "any"))


def render_settings(schema: Mapping[str, Any]) -> str:
    definitions, required, rows = schema.get("$defs", {}), schema.get("required", []), []
    for name, shape in schema.get("properties", {}).items():
        bounds = ", ".join(f"{sign}{shape[key]}" for key, sign in BOUNDS.items() if key in shape)
        kind = name_type(shape, definitions) + (f", {bounds}" if bounds else "")
        default = "required" if name in required else f"`{json.dumps(shape.get('default'), ensure_ascii=False)}`"
        chinese = shape.get("x-zh", {})
        english = f"**{shape.get('title', name)}** {shape.get('description', '')}".strip()
        said = f"**{chinese['title']}** {chinese.get('description', '')}".strip() if "title" in chinese else ""
        rows.append((f"`{name}`", kind, default, english, said))
    return render_table(("setting", "type", "default", "meaning", "说明"), rows) if rows else "None.\n"


def render_ports(card: ComponentCard) -> str:
    def name(ports: Mapping[str, str]) -> str:
        shown = (f"`{port}` {kind}{' (optional)' if port in card.optional else ''}" for port, kind in ports.items())
        return ", ".join(shown) or "none"

    rows = [("fit", role, name(card.inputs.get(role, {})), name(card.outputs.get(role, {}))) for role in card.roles]
    rows += [
        ("apply", role, name(card.apply_inputs.get(role, {})), name(card.apply_outputs.get(role, {})))
        for role in card.applies
    ]
    return render_table(("use", "role", "takes", "gives"), rows)


def render_page(card: ComponentCard) -> str:
    learns = [
        (
            line.role,
            line.text,
            ", ".join(f"`{key} = {json.dumps(value)}`" for key, value in line.when.items()) or "always",
        )
        for line in card.learns
    ]
    title = " · ".join(text for text in (card.title.get("en"), card.title.get("zh")) if text)
    summaries = "\n\n".join(text for text in (card.summary.get("en"), card.summary.get("zh")) if text)
    return "\n".join(
        [
            f"{NOTE}\n# `{card.name}` {title}\n\n{summaries}\n\nVersion {card.version}.\n",
            f"## Who learns what · 谁会知道什么\n\n{render_table(('role', 'learns', 'when'), learns)}",
            f"## Protocol · 协议\n\n{card.protocol}\n",
            f"## Secure · 安全性\n\n{card.secure}\n",
            f"## Ports · 端口\n\n{render_ports(card)}",
            f"## Settings · 参数\n\n{render_settings(card.params)}",
        ]
    )


def render_all() -> dict[str, str]:
    """File name → text, for every component that is installed."""
    cards = [component.card() for component in load_all().values()]
    rows = [(f"[`{c.name}`]({c.name}.md)", c.version, c.title.get("en", ""), c.title.get("zh", "")) for c in cards]
    index = f"{NOTE}\n# Components · 组件库\n\n{render_table(('component', 'version', 'title', '名称'), rows)}"
    return {"README.md": index, **{f"{card.name}.md": render_page(card) for card in cards}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["write", "check"])
    action = parser.parse_args().action
    wanted = render_all()
    written = {path.name: path.read_text("utf-8") for path in PAGES.glob("*.md")}
    if action == "check":
        if stale := sorted(name for name in wanted | written if wanted.get(name) != written.get(name)):
            sys.exit(f"stale in docs/components: {', '.join(stale)}\nremedy: make docs")
        print("the pages of the components say what the components say")
        return
    PAGES.mkdir(parents=True, exist_ok=True)
    for name in written.keys() - wanted.keys():
        (PAGES / name).unlink()
    for name, text in wanted.items():
        (PAGES / name).write_text(text, "utf-8")
    print(f"docs/components: {len(wanted)} pages")


if __name__ == "__main__":
    main()
