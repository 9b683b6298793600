"""`hanse model`: what jobs have trained."""

from typing import Annotated

import msgspec
import typer
from rich.console import Console

from hanse.cli.options import DEFAULT_DIRECTORY, AsJson, Directory
from hanse.cli.screen import draw_facts, draw_table, show
from hanse.client import connect
from hanse.client.resources import ModelVersion

commands = typer.Typer(no_args_is_help=True, help="Model versions of which this node has a part.")


@commands.command("list", epilog="Example: hanse model list --json")
def list_models(directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """List model versions, the newest first."""
    with connect(directory) as client:
        found = client.models()
    heads = ("id", "name", "component", "trained by", "metrics", "created")
    rows = [(m.id, m.name, f"{m.component} {m.version}", m.job, metrics_text(m), m.created_at) for m in found]
    empty = "No models yet. A training task makes one: hanse job run FILE"
    show(found, as_json, lambda console: draw_table(console, heads, rows, empty))


@commands.command("show", epilog="Example: hanse model show model-5f2c9a7d01b4e6c8")
def show_model(
    model: Annotated[str, typer.Argument(help="Id of a model version: hanse model list.")],
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Show one model version. Use it in a pipeline as the input `model:ID` of a task `predict`."""
    with connect(directory) as client:
        found = client.model(model)
    show(found, as_json, lambda console: draw_model(console, found))


def draw_model(console: Console, model: ModelVersion) -> None:
    draw_facts(
        console,
        (
            ("id", model.id),
            ("name", model.name),
            ("component", f"{model.component} {model.version}"),
            ("job, task", f"{model.job}, {model.task}"),
            ("parties", msgspec.json.encode(model.parties).decode()),
            ("metrics", metrics_text(model)),
            ("created", model.created_at),
            ("own part", model.path),
            ("sha256", model.sha256),
        ),
    )


def metrics_text(model: ModelVersion) -> str:
    numbers = {name: value for name, value in model.metrics.items() if isinstance(value, int | float)}
    return ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())
