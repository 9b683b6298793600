"""`hanse dataset profile`: what one's tables look like, and what of it partners are told."""

import time
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from hanse.cli.figures import draw_drift, draw_figures, draw_told, figures_of, measured
from hanse.cli.options import DEFAULT_DIRECTORY, AsJson, Directory, Yes
from hanse.cli.screen import draw_facts, draw_table, error_screen, screen, show
from hanse.client import Client, connect
from hanse.client.refusal import Refusal
from hanse.client.resources import PrivacyBudget, ProfilePrice, ProfileRun
from hanse.core.faults import HanseError

commands = typer.Typer(no_args_is_help=True, help="What your tables look like, and what of it partners are told.")

LOOK_AGAIN_S = 0.3

Name = Annotated[str, typer.Argument(help="Name of the dataset: hanse dataset list.")]
Version = Annotated[int, typer.Option(help="Number of a version. Without: the newest.", min=0)]
Old = Annotated[int, typer.Argument(help="Number of the older version.", min=1)]
New = Annotated[int, typer.Argument(help="Number of the newer version.", min=1)]
Project = Annotated[str, typer.Option(help="Project whose members are told.", metavar="PROJECT")]
Wait = Annotated[bool, typer.Option(help="Wait for the figures.")]
Chosen = Annotated[
    list[str],
    typer.Argument(
        help="rows, missing:COLUMN, distinct:COLUMN, malformed:ID, histogram:COLUMN=0,18,60 (numbers), "
        "histogram:COLUMN='a|b' (values), quantiles:COLUMN=0,18,60. Each may end in @EPSILON.",
        metavar="FIGURE…",
    ),
]
Epsilon = Annotated[float, typer.Option(help="Epsilon of each figure that names none.", min=0.001, max=100)]


@commands.command(epilog="Example: hanse dataset profile run loans")
def run(
    name: Name,
    version: Version = 0,
    wait: Wait = True,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Find the figures of a version; nothing leaves the node."""
    with connect(directory) as client:
        asked = client.profile_dataset(name, version)
        found = _ended(lambda: client.dataset_profile(name, asked.version), wait=wait)
    show(found, as_json, lambda console: _draw_run(console, name, found))


@commands.command("show", epilog="Example: hanse dataset profile show loans")
def show_profile(
    name: Name, version: Version = 0, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False
) -> None:
    """Show the figures of a version."""
    with connect(directory) as client:
        found = client.dataset_profile(name, version)
    show(found, as_json, lambda console: _draw_run(console, name, found))


@commands.command("list", epilog="Example: hanse dataset profile list loans")
def list_profiles(name: Name, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """List for which versions there are figures."""
    with connect(directory) as client:
        found = client.dataset_profiles(name)
    heads = ("version", "compared with", "state", "asked", "took")
    rows = [(run.version, run.older or "", run.state, run.asked_at, measured(run)) for run in found]
    show(found, as_json, lambda console: draw_table(console, heads, rows, "No figures yet: hanse dataset profile run"))


@commands.command(epilog="Example: hanse dataset profile compare loans 1 2")
def compare(
    name: Name, old: Old, new: New, wait: Wait = True, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False
) -> None:
    """Show how the rows of two versions differ (stability index, Kolmogorov-Smirnov), finding it first if need be."""
    with connect(directory) as client:
        try:
            client.dataset_drift(name, old, new)
        except Refusal as refusal:
            if refusal.fault.code != "profile.none":
                raise
            client.compare_dataset_profiles(name, old, new)
        found = _ended(lambda: client.dataset_drift(name, old, new), wait=wait)
    show(found, as_json, lambda console: _draw_run(console, name, found))


@commands.command(epilog="Example: hanse dataset profile price loans rows histogram:age=18,30,45,60,100")
def price(
    name: Name,
    figures: Chosen,
    epsilon: Epsilon = 0.1,
    version: Version = 0,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Say what telling figures would take of the privacy budget, and how exact they would be."""
    with connect(directory) as client:
        found = client.price_profile_share(name, list(map(figures_of, figures)), version, epsilon)
    show(found, as_json, lambda console: _draw_price(console, found))


@commands.command(
    epilog="Example: hanse dataset profile share loans --project credit rows 'histogram:age=18,30,45,60,100@0.5'"
)
def share(
    name: Name,
    figures: Chosen,
    project: Project,
    epsilon: Epsilon = 0.1,
    version: Version = 0,
    yes: Yes = False,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Tell the members of a project chosen figures, with noise, after showing what that takes.

    They replace what was told of the dataset before. A figure that was told of this version is repeated as it was.
    Bins and values are told as they are: choose them without looking at single rows.
    """
    with connect(directory) as client:
        chosen = list(map(figures_of, figures))
        seen = client.price_profile_share(name, chosen, version, epsilon)
        if not yes:
            _draw_price(error_screen() if as_json else screen(), seen)
            typer.confirm(f"Tell the members of {project}?", abort=True, err=True)
        told = client.share_profile(name, project, chosen, seen.version, epsilon)
    show(told, as_json, lambda console: draw_told(console, [told]))


@commands.command(epilog="Example: hanse dataset profile shares loans")
def shares(name: Name, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Show what is told of a dataset, by project."""
    with connect(directory) as client:
        found = client.profile_shares(name)
    show(found, as_json, lambda console: draw_told(console, found))


@commands.command(epilog="Example: hanse dataset profile withdraw loans --project credit")
def withdraw(name: Name, project: Project, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Have the members of a project forget what they were told. The epsilon stays spent."""
    with connect(directory) as client:
        client.withdraw_profile_share(name, _id_of(client, project))
    said = f"[green]✓[/] the members of {escape(project)} are told to forget the figures of {escape(name)}"
    show({"dataset": name, "project": project}, as_json, lambda console: console.print(said))


@commands.command(epilog="Example: hanse dataset profile budget loans --most 3")
def budget(
    name: Name,
    most: Annotated[float | None, typer.Option(help="Epsilon that its figures may take.", min=0, max=100)] = None,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Show or set how much epsilon the figures of a dataset may take, all versions together."""
    with connect(directory) as client:
        found = client.privacy_budget(name) if most is None else client.set_privacy_budget(name, most)
    show(found, as_json, lambda console: draw_facts(console, _facts_of_budget(found)))


@commands.command(epilog="Example: hanse dataset profile partners --project credit")
def partners(project: Project, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Show what partners tell of the datasets that they offer to a project."""
    with connect(directory) as client:
        names = {member.organisation_id: member.organisation for member in client.members()}
        found = client.partner_profiles(_id_of(client, project))
    show(found, as_json, lambda console: draw_told(console, found, names))


def _ended(look: Callable[[], ProfileRun], *, wait: bool) -> ProfileRun:
    """Return a run, when it has ended if that is wished. Raises what it failed with."""
    found = look()
    while wait and found.state in ("waiting", "running"):
        time.sleep(LOOK_AGAIN_S)
        found = look()
    if found.fault is not None:
        raise HanseError(found.fault.fault())
    return found


def _id_of(client: Client, project: str) -> str:
    """Return the id of a project that is given by its name or id."""
    return next((found.id for found in client.projects() if project in (found.name, found.id)), project)


def _draw_run(console: Console, name: str, found: ProfileRun) -> None:
    if found.fault is not None:
        raise HanseError(found.fault.fault())
    if found.figures is not None:
        draw_figures(console, name, found, found.figures)
    elif found.drift is not None:
        draw_drift(console, name, found, found.drift)
    else:
        console.print(f"{escape(name)} version {found.version} is {found.state}")


def _draw_price(console: Console, found: ProfilePrice) -> None:
    heads = ("figure", "column", "epsilon", "19 of 20 within", "")
    rows = [
        (one.figure, one.column, f"{one.epsilon:g}", f"± {one.margin:,}", "known, free" if one.is_known else "")
        for one in found.figures
    ]
    draw_table(console, heads, rows, "nothing")
    colour = "green" if found.is_covered else "red"
    console.print(
        f"[{colour}]takes epsilon {found.epsilon:g}[/]; {found.budget.left:g} of {found.budget.most:g} is left"
    )


def _facts_of_budget(found: PrivacyBudget) -> list[tuple[str, object]]:
    return [("epsilon at most", f"{found.most:g}"), ("spent", f"{found.spent:g}"), ("left", f"{found.left:g}")]
