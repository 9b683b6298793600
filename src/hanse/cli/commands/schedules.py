"""`hanse schedule`: pipelines that run by themselves."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from hanse.cli.commands.jobs import read_pipeline
from hanse.cli.language import language
from hanse.cli.options import DEFAULT_DIRECTORY, AsJson, Directory
from hanse.cli.screen import draw_facts, draw_table, show
from hanse.client import connect
from hanse.client.resources import Reason, Schedule

commands = typer.Typer(no_args_is_help=True, help="Run pipelines by themselves: at times, on days, on new data.")

ScheduleId = Annotated[str, typer.Argument(help="Id of a schedule: hanse schedule list.", metavar="SCHEDULE")]


@commands.command("add", epilog="Example: hanse schedule add nightly --pipeline pipeline-5f2c… --cron '0 2 * * *'")
def add_schedule(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    pipeline: Annotated[str | None, typer.Option("--pipeline", help="Id of a saved pipeline.")] = None,
    version: Annotated[int | None, typer.Option("--version", min=1, help="Of it; the latest if not given.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="A pipeline as JSON instead.", exists=True, dir_okay=False)
    ] = None,
    cron: Annotated[str | None, typer.Option("--cron", help="Minute, hour, day, month, weekday.")] = None,
    date: Annotated[list[str] | None, typer.Option("--date", help="A day: 2026-12-24; any number of them.")] = None,
    at: Annotated[str, typer.Option("--at", help="The time on those days.")] = "00:00",
    zone: Annotated[str, typer.Option("--zone", help="Time zone of all that: Asia/Shanghai.")] = "UTC",
    without: Annotated[list[str] | None, typer.Option("--without", help="Not on this day; any number.")] = None,
    on_version: Annotated[str | None, typer.Option("--on-version", help="With each new version of a dataset.")] = None,
    missed: Annotated[str, typer.Option("--missed", help="Times at which no node ran: skip, once or all.")] = "once",
    most_missed: Annotated[int, typer.Option("--most-missed", min=1, max=100, help="Of all: so many.")] = 10,
    overlap: Annotated[
        str, typer.Option("--overlap", help="While the job before runs: skip, queue or cancel.")
    ] = "skip",
    priority: Annotated[int, typer.Option("--priority", min=0, max=9, help="Of its jobs.")] = 5,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Have a pipeline run by itself. Its jobs do what its owner may do at that moment."""
    trigger = _read_trigger(cron, date or [], at, zone, without or [], on_version)
    spec = None if file is None else read_pipeline(file)
    how = {"missed": missed, "most_missed": most_missed, "overlap": overlap, "priority": priority}
    with connect(directory) as client:
        made = client.add_schedule(name, trigger, pipeline=pipeline, version=version, spec=spec, **how)
    show(made, as_json, lambda console: _draw(console, made))


@commands.command("list", epilog="Example: hanse schedule list")
def list_schedules(directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """List schedules with their next times."""
    with connect(directory) as client:
        found = client.schedules()
    rows = [(s.id, s.name, s.state, say_trigger(s), s.due_at, s.owner) for s in found]
    heads = ("id", "name", "state", "when", "next", "owner")
    show(found, as_json, lambda console: draw_table(console, heads, rows, "No schedules yet: hanse schedule add"))


@commands.command("show", epilog="Example: hanse schedule show schedule-5f2c9a7d01b4e6c8")
def show_schedule(schedule: ScheduleId, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Show a schedule."""
    with connect(directory) as client:
        found = client.schedule(schedule)
    show(found, as_json, lambda console: _draw(console, found))


@commands.command("history", epilog="Example: hanse schedule history schedule-5f2c9a7d01b4e6c8")
def history(
    schedule: ScheduleId,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")] = 100,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """List each time at which a schedule was due: its job, or why there is none. `hanse job retry` repeats one."""
    with connect(directory) as client:
        found = client.schedule_runs(schedule, limit=limit)
    rows = [(run.due_at, run.state, run.job, run.job_state, _say(run.reason)) for run in found]
    heads = ("due", "what", "job", "its state", "why not")
    show(found, as_json, lambda console: draw_table(console, heads, rows, "It was not due yet."))


@commands.command("pause", epilog="Example: hanse schedule pause schedule-5f2c9a7d01b4e6c8")
def pause(schedule: ScheduleId, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Have a schedule rest."""
    with connect(directory) as client:
        found = client.pause_schedule(schedule)
    show(found, as_json, lambda console: _draw(console, found))


@commands.command("resume", epilog="Example: hanse schedule resume schedule-5f2c9a7d01b4e6c8")
def resume(schedule: ScheduleId, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Let a schedule go on from now; what it missed meanwhile is not made up for."""
    with connect(directory) as client:
        found = client.resume_schedule(schedule)
    show(found, as_json, lambda console: _draw(console, found))


@commands.command("run", epilog="Example: hanse schedule run schedule-5f2c9a7d01b4e6c8")
def run(schedule: ScheduleId, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Run a schedule's pipeline now, beside its times."""
    with connect(directory) as client:
        found = client.run_schedule(schedule)
    text = f"[green]✓[/] due at {found.due_at} [dim](hanse schedule history {escape(schedule)})[/]"
    show(found, as_json, lambda console: console.print(text))


@commands.command("remove", epilog="Example: hanse schedule remove schedule-5f2c9a7d01b4e6c8")
def remove(schedule: ScheduleId, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Forget a schedule. The jobs that it has started stay."""
    with connect(directory) as client:
        client.remove_schedule(schedule)
    show(None, as_json, lambda console: console.print("The schedule is gone."))


def say_trigger(schedule: Schedule) -> str:
    """Return in a few words when a schedule is due."""
    when = schedule.trigger
    if when["kind"] == "version":
        return f"new version of {when['dataset']}"
    what = when["expression"] if when["kind"] == "cron" else f"{len(when['dates'])} days at {when['at']}"
    return f"{what} {when['zone']}"


def _read_trigger(
    cron: str | None, dates: list[str], at: str, zone: str, without: list[str], on_version: str | None
) -> dict[str, Any]:
    if sum((cron is not None, bool(dates), on_version is not None)) != 1:
        raise typer.BadParameter("say when: one of --cron, --date, --on-version")
    if on_version is not None:
        return {"kind": "version", "dataset": on_version}
    days = {"zone": zone, "without": without}
    if cron is not None:
        return {"kind": "cron", "expression": cron, **days}
    return {"kind": "calendar", "dates": dates, "at": at, **days}


def _draw(console: Console, schedule: Schedule) -> None:
    what = schedule.pipeline or (schedule.spec.name if schedule.spec else "")
    facts = [("id", schedule.id), ("name", schedule.name), ("state", schedule.state), ("pipeline", what)]
    facts += [("when", say_trigger(schedule)), ("next", schedule.due_at or ""), ("owner", schedule.owner)]
    facts += [("missed", schedule.missed), ("overlap", schedule.overlap)]
    draw_facts(console, facts + ([("paused because", _say(schedule.reason))] if schedule.reason else []))


def _say(reason: Reason | None) -> str:
    return "" if reason is None else reason.cause or reason.text.get(language(), reason.code)
