"""What the pages say exists, exists; what they tell a reader to run is what CI runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGES = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "GLOSSARY.md",
    "README.md",
    "README.zh.md",
    "SECURITY.md",
]
VERBS = ["setup", "demo", "test", "test-deep", "check", "e2e", "bench", "docs", "dev"]
IN_CI = ["check", "demo", "test", "e2e", "test-deep"]

CODE = re.compile(r"`([^`\n]+)`")
BLOCK = re.compile(r"^```[a-z]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
PATH = re.compile(r"\.?[\w.*-]+(?:/[\w.*-]+)*/?")
TOP = {"src", "kernel", "tests", "docs", "bench", "build_support", "requirements", ".ci"}
POINTER = re.compile(r"\bdocs/[\w/-]+\.md\b")
VERB = re.compile(r"[a-z][a-z0-9-]*")


def names_a_path(text: str) -> bool:
    """Whether a piece of code in a page is a path of this project: below a top folder, or a module file."""
    below = "/" in text and text.split("/", maxsplit=1)[0] in TOP
    return bool(PATH.fullmatch(text)) and (below or text.endswith((".py", ".rs", ".md", ".toml", ".lock")))


def exists(root: Path, name: str) -> bool:
    """A path counts from the project's folder, from src/hanse or from a crate; a bare name from anywhere."""
    tops = [root, root / "src" / "hanse", *(root / "kernel").iterdir()]
    if "/" not in name:
        return any(any(top.rglob(name)) for top in tops[1:]) or (root / name).exists()
    return any(any(top.glob(name.rstrip("/"))) for top in tops)


def read_verbs(root: Path) -> set[str]:
    return set(re.findall(r"^([a-z][a-z0-9-]*):", (root / "Makefile").read_text("utf-8"), re.MULTILINE))


def list_commands(page: Path) -> list[str]:
    """The pieces of code of a page, line by line, without comments."""
    text = page.read_text("utf-8")
    lines = [line for block in BLOCK.findall(text) for line in block.splitlines()]
    return [line.split("#")[0].strip() for line in lines + CODE.findall(BLOCK.sub("", text))]


def list_verbs(page: Path) -> set[str]:
    """The verbs that a page tells its reader to make: all of `make check test ARGS=…`."""
    calls = [command.split()[1:] for command in list_commands(page) if command.startswith("make ")]
    return {word for words in calls for word in words if VERB.fullmatch(word)}


@pytest.mark.parametrize("page", PAGES)
def test_every_path_that_a_page_names_exists(root: Path, page: str) -> None:
    text = (root / page).read_text("utf-8")
    named = {found for found in CODE.findall(BLOCK.sub("", text)) if names_a_path(found)}
    assert sorted(name for name in named if not exists(root, name)) == []


def test_every_page_that_the_documents_or_the_source_point_to_exists(root: Path) -> None:
    folders = ("docs", "src", "kernel", "bench", "tests")
    texts = [path for name in folders for path in (root / name).rglob("*") if path.suffix in {".md", ".py", ".rs"}]
    named = {found for path in texts for found in POINTER.findall(path.read_text("utf-8"))}
    assert named
    assert sorted(name for name in named if not (root / name).is_file()) == []


def test_architecture_names_every_package(root: Path) -> None:
    text = (root / "ARCHITECTURE.md").read_text("utf-8")
    packages = sorted(path.parent.name for path in (root / "src" / "hanse").glob("*/__init__.py"))
    assert packages
    assert [name for name in packages if f"`{name}/`" not in text] == []


def test_every_link_between_pages_leads_somewhere(root: Path) -> None:
    pages = [root / page for page in PAGES] + sorted((root / "docs").rglob("*.md"))
    dead = []
    for page in pages:
        targets = [link.split("#")[0] for link in LINK.findall(page.read_text("utf-8")) if "://" not in link]
        dead += [f"{page.relative_to(root)}: {target}" for target in targets if not (page.parent / target).exists()]
    assert dead == []


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_is_a_command_of_the_makefile(root: Path, page: str) -> None:
    assert list_verbs(root / page) <= read_verbs(root)


def test_the_makefile_has_the_verbs_of_the_project_and_explains_each(root: Path) -> None:
    text = (root / "Makefile").read_text("utf-8")
    assert [verb for verb in VERBS if not re.search(rf"^{verb}:.*## \S", text, re.MULTILINE)] == []


def test_ci_runs_what_the_readme_shows(root: Path) -> None:
    run = (root / ".ci" / "run").read_text("utf-8")
    ran = set(re.findall(r"^step (\S+)", run, re.MULTILINE))
    shown = list_verbs(root / "README.md") | list_verbs(root / "README.zh.md")
    assert shown == {"demo", "test"}
    assert ran == set(IN_CI)


def test_both_readmes_show_the_same_commands(root: Path) -> None:
    pages = (root / "README.md", root / "README.zh.md")
    commands = [[line for line in list_commands(page) if line.startswith(("make ", ".venv/"))] for page in pages]
    assert commands[0]
    assert commands[0] == commands[1]


def test_decision_records_are_numbered_without_a_gap_and_say_what_why_and_cost(root: Path) -> None:
    records = sorted((root / "docs" / "decisions").glob("[0-9]*.md"))
    assert [int(path.name[:4]) for path in records] == list(range(1, len(records) + 1))
    for path in records:
        headings = re.findall(r"^## (.+)$", path.read_text("utf-8"), re.MULTILINE)
        assert headings == ["Decision", "Why", "Cost"], path.name
