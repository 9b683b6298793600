"""`hanse pipeline`: keep pipelines, compare their versions, hand them on as JSON or Python."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from hanse.cli.commands.jobs import Begin, Fresh, Only, Until, Watch, follow, read_pipeline, read_wishes
from hanse.cli.estimates import draw_estimate
from hanse.cli.options import DEFAULT_DIRECTORY, AsJson, Directory
from hanse.cli.screen import draw_facts, draw_table, say_json, show
from hanse.client import Client, connect
from hanse.client.resources import Pipeline, SavedPipeline
from hanse.core.documents import write_pipeline
from hanse.core.faults import fault
from hanse.core.scripts import write_python
from hanse.runtime.format import write_format

commands = typer.Typer(no_args_is_help=True, help="Keep pipelines, compare their versions, hand them on.")

Id = Annotated[str, typer.Argument(metavar="PIPELINE", help="Id or name of the pipeline: hanse pipeline list.")]
Version = Annotated[int | None, typer.Option("--version", min=1, help="Version; the latest if not given.")]
File = Annotated[Path, typer.Argument(help="A pipeline as JSON.", exists=True, dir_okay=False)]


@commands.command(epilog="Example: hanse pipeline save risk.json --note 'deeper trees'")
def save(
    file: File,
    note: Annotated[str, typer.Option("--note", help="What is new in this version.")] = "",
    expected: Annotated[
        int | None, typer.Option("--expected", min=1, help="Refuse unless this is the latest version.")
    ] = None,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Save a pipeline: the next version of the project's pipeline of that name, or a new pipeline."""
    spec = read_pipeline(file)
    with connect(directory) as client:
        known = [
            row for row in client.pipelines(project=spec.project, search=spec.name).pipelines if row.name == spec.name
        ]
        if known:
            saved = client.save_pipeline(known[0].id, spec, expected or known[0].version, note)
        else:
            saved = client.create_pipeline(spec, note)
    text = f"[green]✓[/] {escape(saved.name)}, version [bold]{saved.shown.number}[/] [dim]({saved.id})[/]"
    show(saved, as_json, lambda console: console.print(text))


@commands.command("list", epilog="Example: hanse pipeline list --search risk")
def list_pipelines(
    project: Annotated[str, typer.Option("--project", help="Only those of this project.")] = "",
    search: Annotated[str, typer.Option("--search", help="A part of the name.")] = "",
    archived: Annotated[bool, typer.Option("--archived", help="Those that were put away.")] = False,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """List saved pipelines, newest first."""
    found: list[Pipeline] = []
    with connect(directory) as client:
        after: str | None = ""
        while after is not None:
            page = client.pipelines(project, search, archived, after, 1000)
            found += page.pipelines
            after = page.next
    rows = [(p.id, p.name, p.version, p.owner, p.changed_at) for p in found]
    heads = ("id", "name", "version", "owner", "changed")
    empty = "No pipelines yet. Start with: hanse pipeline save FILE"
    show(found, as_json, lambda console: draw_table(console, heads, rows, empty))


@commands.command("show", epilog="Example: hanse pipeline show 'train and judge'")
def show_pipeline(
    pipeline: Id, version: Version = None, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False
) -> None:
    """Show a pipeline: its versions and its tasks."""
    with connect(directory) as client:
        saved = _find(client, pipeline, version)
        versions = client.pipeline_versions(saved.id)
    parties = ", ".join(f"{party} {name}" for party, name in saved.pipeline.parties.items())
    facts = [("id", saved.id), ("name", saved.name), ("parties", parties), ("sha256", saved.shown.sha256)]
    tasks = [
        (name, task.component, ", ".join(f"{port} ← {source}" for port, source in task.inputs.items()))
        for name, task in saved.pipeline.tasks.items()
    ]
    rows = [(row.number, row.author, row.created_at, row.note) for row in versions]

    def draw(console: Console) -> None:
        draw_facts(console, facts)
        draw_table(console, ("task", "component", "takes"), tasks, "No tasks.")
        draw_table(console, ("version", "author", "saved", "note"), rows, "")

    show(saved, as_json, draw)


@commands.command(epilog="Example: hanse pipeline run 'train and judge' --from boost --watch")
def run(
    pipeline: Id,
    version: Version = None,
    watch: Watch = False,
    only: Only = "",
    begin: Begin = "",
    until: Until = "",
    fresh: Fresh = False,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Run a saved pipeline, or a part of it. What earlier jobs have made of the same is taken from there."""
    wishes = read_wishes(only, begin, until, fresh=fresh)
    with connect(directory) as client:
        follow(client, client.run_pipeline(pipeline, version, **wishes), watch=watch, as_json=as_json)


@commands.command(epilog="Example: hanse pipeline diff 'train and judge' 1 2")
def diff(
    pipeline: Id,
    old: Annotated[int, typer.Argument(min=1, help="The earlier version.")],
    new: Annotated[int, typer.Argument(min=1, help="The later version.")],
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Show what changed between two versions: tasks, settings, edges, parties."""
    with connect(directory) as client:
        changes = client.diff_pipeline(_find(client, pipeline).id, old, new)
    rows = [(change.kind, change.place, str(change.before), str(change.after)) for change in changes]
    heads = ("what", "where", "before", "after")
    show(changes, as_json, lambda console: draw_table(console, heads, rows, "Both say the same."))


@commands.command(epilog="Example: hanse pipeline check risk.json")
def check(file: File, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Say what is wrong with a pipeline before any data is touched, or what it would take. Exit code 1 for problems."""
    spec = read_pipeline(file)
    with connect(directory) as client:
        problems = client.check_pipeline(spec)
        expected = None if problems or as_json else client.estimate_job(spec)
    rows = [(found.task or "", found.message, found.remedy or "") for found in problems]
    heads = ("task", "what", "what helps")

    def draw(console: Console) -> None:
        draw_table(console, heads, rows, "It is sound, as far as this node can tell.")
        if expected is not None:
            draw_estimate(console, expected)

    show(problems, as_json, draw)
    if problems:
        raise typer.Exit(1)


@commands.command("format", epilog="Example: hanse pipeline format > pipeline.schema.json")
def show_format(as_json: AsJson = False) -> None:
    """Write the JSON Schema of pipelines to the standard output, with the settings of each component of this release.

    It needs no node. Editors that know JSON Schema complete and check a pipeline with it.
    """
    text = write_format()
    if as_json:
        say_json(json.loads(text))
    else:
        typer.echo(text, nl=False)


@commands.command(epilog="Example: hanse pipeline export 'train and judge' --python > train.py")
def export(
    pipeline: Id,
    version: Version = None,
    python: Annotated[bool, typer.Option("--python", help="As a script that builds the same JSON.")] = False,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Write a version to the standard output: its canonical JSON, or a Python script. Also takes a file."""
    path = Path(pipeline)
    if path.suffix == ".json" and path.is_file():
        spec = read_pipeline(path)
    else:
        with connect(directory) as client:
            spec = _find(client, pipeline, version).pipeline
    text = write_python(spec) if python else write_pipeline(spec).decode()
    if as_json and python:
        say_json({"python": text})
    else:
        typer.echo(text, nl=False)


@commands.command(epilog="Example: hanse pipeline copy 'train and judge' 'train for autumn'")
def copy(
    pipeline: Id,
    name: Annotated[str, typer.Argument(help="Name of the copy.")],
    version: Version = None,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Save a version as the first one of another pipeline."""
    with connect(directory) as client:
        copied = client.copy_pipeline(_find(client, pipeline).id, name, version)
    show(copied, as_json, lambda console: console.print(f"[green]✓[/] {escape(copied.name)} [dim]({copied.id})[/]"))


@commands.command(epilog="Example: hanse pipeline archive 'train and judge'")
def archive(pipeline: Id, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Put a pipeline away. Its versions can still be read by its id."""
    with connect(directory) as client:
        row = client.archive_pipeline(_find(client, pipeline).id)
    show(row, as_json, lambda console: console.print(f"[green]✓[/] {escape(row.name)} is archived"))


@commands.command(epilog="Example: hanse pipeline restore pipeline-5f2c9a7d01b4e6c8")
def restore(pipeline: Id, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Take a pipeline out of the archive, by its id."""
    with connect(directory) as client:
        row = client.restore_pipeline(pipeline)
    show(row, as_json, lambda console: console.print(f"[green]✓[/] {escape(row.name)} is back"))


@commands.command(epilog="Example: hanse pipeline comment 'train and judge' 'ready for autumn'")
def comment(
    pipeline: Id,
    text: Annotated[str, typer.Argument(help="What to say; every comment is shown if not given.")] = "",
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Say something about a pipeline, or read what was said."""
    with connect(directory) as client:
        found = _find(client, pipeline)
        if text:
            client.comment_pipeline(found.id, text)
        comments = client.pipeline_comments(found.id)
    rows = [(row.created_at, row.author, row.version, row.text) for row in comments]
    heads = ("at", "author", "version", "text")
    show(comments, as_json, lambda console: draw_table(console, heads, rows, "No comments yet."))


def _find(client: Client, named: str, version: int | None = None) -> SavedPipeline:
    """Return a pipeline by its id or its name. Raises `pipeline.unknown`, or says that several have the name."""
    if named.startswith("pipeline-"):
        return client.pipeline(named, version)
    same = [row.id for row in client.pipelines(search=named).pipelines if row.name == named]
    if len(same) > 1:
        raise fault("pipeline.unknown", f"{len(same)} pipelines are called {named!r}", f"say which: {', '.join(same)}")
    return client.pipeline(same[0] if same else named, version)
