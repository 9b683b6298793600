"""`hanse job`: run a pipeline with one's partners, watch it, stop it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from hanse.cli.commands.templates import Values, fill_blanks
from hanse.cli.estimates import draw_estimate, range_text
from hanse.cli.language import language
from hanse.cli.options import DEFAULT_DIRECTORY, AsJson, Directory
from hanse.cli.outcome import demand_success
from hanse.cli.reports import draw_report
from hanse.cli.screen import draw_facts, draw_table, error_screen, say_json, screen, show, what_helps
from hanse.cli.units import bytes_text, seconds_text
from hanse.cli.watching import Board
from hanse.client import Client, connect
from hanse.client.resources import Job, JobConsequences, Report, Task
from hanse.core import documents
from hanse.core.errors import describe
from hanse.core.faults import Fault, HanseError, fault
from hanse.core.specs import PipelineSpec

commands = typer.Typer(no_args_is_help=True, help="Run a pipeline with your partners, watch it, stop it.")

Watch = Annotated[bool, typer.Option("--watch", help="Stay and show how it goes.")]
Only = Annotated[str, typer.Option("--only", metavar="TASK", help="Run this task alone, on earlier results.")]
Begin = Annotated[str, typer.Option("--from", metavar="TASK", help="Run it and what follows, on earlier results.")]
Until = Annotated[str, typer.Option("--to", metavar="TASK", help="Run up to this task.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Run what earlier jobs have made, too.")]
JobId = Annotated[str, typer.Argument(help="Id of the job: hanse job list.")]


@commands.command(epilog="Example: hanse job run risk.json --watch")
def run(
    file: Annotated[
        Path,
        typer.Argument(
            help="A pipeline as JSON, as in docs/guides/en/first-federation.md.", exists=True, dir_okay=False
        ),
    ],
    watch: Watch = False,
    only: Only = "",
    begin: Begin = "",
    until: Until = "",
    fresh: Fresh = False,
    priority: Annotated[
        int | None, typer.Option("--priority", min=0, max=9, help="0 lowest, 9 highest, 5 if not given.")
    ] = None,
    time_limit: Annotated[int, typer.Option("--time-limit", min=0, help="Seconds that the job may take.")] = 0,
    task_time_limit: Annotated[
        int, typer.Option("--task-time-limit", min=0, help="Seconds that each task may take.")
    ] = 0,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Propose a pipeline to all of its parties and run it.

    Every party's node checks it against its own components and grants first; what is wrong is told before anything
    runs. What an earlier job has made of the same data with the same settings is taken from there. With --json and
    --watch: events as JSON lines, and the job as the last line.
    """
    pipeline = read_pipeline(file)
    wishes = read_wishes(only, begin, until, fresh=fresh)
    with connect(directory) as client:
        job = client.run_job(
            pipeline, priority=priority, time_limit_s=time_limit, task_time_limit_s=task_time_limit, **wishes
        )
        follow(client, job, watch=watch, as_json=as_json)


@commands.command("from-template", epilog="Example: hanse job from-template ours --set data=loans --watch")
def from_template(
    template: Annotated[str, typer.Argument(help="Id or name of the template: hanse template list.")],
    values: Values = None,
    watch: Watch = False,
    fresh: Fresh = False,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Fill the blanks of a template and run the pipeline that comes of it. `hanse template show` names the blanks."""
    with connect(directory) as client:
        pipeline = fill_blanks(client, template, values or [])
        follow(client, client.run_job(pipeline, fresh=fresh), watch=watch, as_json=as_json)


@commands.command(epilog="Example: hanse job estimate risk.json")
def estimate(
    file: Annotated[Path, typer.Argument(help="A pipeline as JSON.", exists=True, dir_okay=False)],
    only: Only = "",
    begin: Begin = "",
    until: Until = "",
    fresh: Fresh = False,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Say what a pipeline would take at this node, before it runs: time, bytes, memory, exact sums.

    The figures are those of the components' cost models, corrected by what this node has measured. No partner is asked.
    """
    with connect(directory) as client:
        found = client.estimate_job(read_pipeline(file), **read_wishes(only, begin, until, fresh=fresh))
    show(found, as_json, lambda console: draw_estimate(console, found))


@commands.command(epilog="Example: hanse job watch job-5f2c9a7d01b4e6c8")
def watch(job: JobId, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Show how a job goes until it has ended. Leaving (Ctrl-C) does not stop the job."""
    with connect(directory) as client:
        _watch(client, job, as_json)


@commands.command(epilog="Example: hanse job cancel job-5f2c9a7d01b4e6c8")
def cancel(job: JobId, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """End a job at all of its parties. What its tasks have finished stays."""
    with connect(directory) as client:
        client.cancel_job(job)
        found = client.job(job)
    done = "it has ended" if found.ended else "cancellation asked for"
    text = f"[green]✓[/] {escape(job)}: {done} [dim]({found.state})[/]"
    show(found, as_json, lambda console: console.print(text))


@commands.command(epilog="Example: hanse job retry job-5f2c9a7d01b4e6c8")
def retry(job: JobId, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Start the pipeline of a job that ended without success once more, as a new job."""
    with connect(directory) as client:
        found = client.retry_job(job)
    show(found, as_json, lambda console: _draw_started(console, found))


@commands.command(epilog="Example: hanse job resume job-5f2c9a7d01b4e6c8 --watch")
def resume(job: JobId, watch: Watch = False, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Start a job that ended without success once more, as a new job that takes what the first one has finished."""
    with connect(directory) as client:
        follow(client, client.resume_job(job), watch=watch, as_json=as_json)


@commands.command(epilog="Example: hanse job priority job-5f2c9a7d01b4e6c8 7")
def priority(
    job: JobId,
    level: Annotated[int, typer.Argument(help="0 lowest, 9 highest; above 5 is the operator's to say.", min=0, max=9)],
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Say anew how urgent a job is that has not ended."""
    with connect(directory) as client:
        found = client.set_job_priority(job, level)
    show(found, as_json, lambda console: console.print(f"[green]✓[/] {escape(job)} has priority {found.priority}"))


@commands.command("list", epilog="Example: hanse job list --state running --project risk")
def list_jobs(
    state: Annotated[str | None, typer.Option("--state", help="Only jobs in this state.")] = None,
    project: Annotated[str | None, typer.Option("--project", help="Only jobs of this project, by name or id.")] = None,
    partner: Annotated[str | None, typer.Option("--partner", help="Only jobs with this organisation.")] = None,
    text: Annotated[str | None, typer.Option("--text", help="Only jobs whose name or id has this in it.")] = None,
    since: Annotated[str | None, typer.Option("--since", help="Only jobs made since then: 2026-11-23.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Only jobs made until then.")] = None,
    mine: Annotated[bool, typer.Option("--mine", help="Only those that I have started.")] = False,
    archived: Annotated[bool, typer.Option("--archived", help="Those that were put away.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")] = 1000,
    after: Annotated[str | None, typer.Option("--after", help="Go on after this job.")] = None,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """List the jobs that this node takes part in, newest first."""
    said = {"mine": "true" if mine else None, "archived": "true" if archived else None, "limit": str(limit)}
    said |= {"state": state, "project": project, "partner": partner, "text": text, "since": since, "until": until}
    with connect(directory) as client:
        found = client.jobs(after=after, **said)
    heads = ("id", "name", "state", "my role", "created", "ended")
    rows = [(j.id, j.name, j.state, j.role, j.created_at, j.ended_at) for j in found]
    show(
        found, as_json, lambda console: draw_table(console, heads, rows, "No jobs yet. Start with: hanse job run FILE")
    )


@commands.command("show", epilog="Example: hanse job show job-5f2c9a7d01b4e6c8")
def show_job(job: JobId, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Show a job: its tasks, what this node sent, and what each party learns from it."""
    with connect(directory) as client:
        found = client.job(job)
    show(found, as_json, lambda console: draw_job(console, found))


@commands.command(epilog="Example: hanse job report job-5f2c9a7d01b4e6c8 boost --trees 3")
def report(
    job: JobId,
    task: Annotated[str, typer.Argument(help="Name of the task; every task that has a report if not given.")] = "",
    trees: Annotated[int, typer.Option("--trees", min=0, help="Draw the first so many trees of a model.")] = 0,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Show what a task reports to this party: its figures, curves, tables, and on request its trees.

    With --json: the report of the task, or without a task all of them by the name of their task.
    """
    with connect(directory) as client:
        reports = {name: client.report(job, name) for name in ([task] if task else _tasks_with_report(client, job))}
    show(reports[task] if task else reports, as_json, lambda console: _draw_reports(console, reports, trees))


@commands.command("archive", epilog="Example: hanse job archive job-5f2c9a7d01b4e6c8")
def archive(job: JobId, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Put a job that has ended away; `hanse job list --archived` lists it."""
    with connect(directory) as client:
        client.archive_job(job)
    show(None, as_json, lambda console: console.print(f"[green]✓[/] {escape(job)} is in the archive"))


@commands.command("restore", epilog="Example: hanse job restore job-5f2c9a7d01b4e6c8")
def restore(job: JobId, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Take a job out of the archive."""
    with connect(directory) as client:
        client.restore_job(job)
    show(None, as_json, lambda console: console.print(f"[green]✓[/] {escape(job)} is listed again"))


@commands.command("remove", epilog="Example: hanse job remove job-5f2c9a7d01b4e6c8")
def remove(
    job: JobId,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Remove a job that has ended from this node, after showing what goes with it. Partners keep theirs."""
    with connect(directory) as client:
        seen = client.foresee_job_removal(job)
        if not yes:
            draw_facts(error_screen() if as_json else screen(), _facts_of_end(seen))
            typer.confirm(f"Remove {seen.job}?", abort=True, err=True)
        gone = client.remove_job(job, seen.digest)
    show(gone, as_json, lambda console: console.print(f"[green]✓[/] {escape(gone.job)} is gone"))


@commands.command("log", epilog="Example: hanse job log job-5f2c9a7d01b4e6c8 boost")
def show_log(
    job: JobId,
    task: Annotated[str, typer.Argument(help="Name of the task.")],
    attempt: Annotated[int | None, typer.Option("--attempt", min=1, help="Which try; the latest if not given.")] = None,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Show the end of what this party's own attempt of a task has written."""
    with connect(directory) as client:
        found = client.job_log(job, task, attempt)
    show(found, as_json, lambda console: console.print(found.text, markup=False, highlight=False))


@commands.command(epilog="Example: hanse job fetch job-5f2c9a7d01b4e6c8 boost scores scores.csv")
def fetch(
    job: JobId,
    task: Annotated[str, typer.Argument(help="Name of the task that made the table.")],
    port: Annotated[str, typer.Argument(help="Which of its outputs: hanse job show JOB --json lists them.")],
    file: Annotated[Path, typer.Argument(help="Where to write it: FILE.csv or FILE.parquet.", dir_okay=False)],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Take the place of a file that is there.")] = False,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Write a table that a task made at this party to a CSV or Parquet file. Run it on the node's own machine."""
    from hanse.cli.exporting import export, read_table  # noqa: PLC0415 (loads the engine)

    with connect(directory) as client:
        table = read_table(client.output(job, task, port), f"{task}.{port}")
    export(table, file, overwrite=overwrite)
    written = {"path": str(file.resolve()), "rows": len(table), "columns": list(table.schema.names)}
    text = f"[green]✓[/] {len(table):,} rows of {escape(task)}.{escape(port)} in [bold]{escape(str(file))}[/]"
    show(written, as_json, lambda console: console.print(text))


def _facts_of_end(seen: JobConsequences) -> list[tuple[str, str]]:
    """Return what a removal takes and what it leaves."""
    return [
        ("job", f"{seen.job} {seen.name}"),
        ("results and logs of", ", ".join(seen.tasks) or "nothing"),
        ("events", f"{seen.events:,}"),
        ("models that remain", ", ".join(seen.models) or "none"),
        ("derived datasets that remain", ", ".join(seen.derived) or "none"),
        ("jobs that repeat it", ", ".join(seen.retries) or "none"),
    ]


def read_wishes(only: str, begin: str, until: str, *, fresh: bool) -> dict[str, Any]:
    """Return which part of a pipeline is asked for. Raises `request.invalid` when several are."""
    parts = [(part, task) for part, task in (("only", only), ("from", begin), ("to", until)) if task]
    if len(parts) > 1:
        raise fault("request.invalid", "--only, --from and --to exclude one another", step="read the options")
    return {"fresh": fresh} | ({"part": parts[0][0], "task": parts[0][1]} if parts else {})


def follow(client: Client, job: Job, *, watch: bool, as_json: bool) -> None:
    """Show a job that was just started: once, or until it has ended."""
    if watch:
        _watch(client, job.id, as_json)
    else:
        show(job, as_json, lambda console: _draw_started(console, job))


def read_pipeline(file: Path) -> PipelineSpec:
    """Return the pipeline of a JSON file. Raises HanseError with the place of the mistake."""
    try:
        return documents.read_pipeline(file.read_bytes())
    except HanseError as error:
        remedy = "correct that place; docs/guides/en/first-federation.md shows a pipeline as JSON"
        raise fault("pipeline.unreadable", f"{file}: {error.fault.cause}", remedy, step="read the pipeline") from error


def draw_job(console: Console, job: Job) -> None:
    parties = ", ".join(f"{party} {organisation}" for party, organisation in job.parties.items())
    facts = [("job", job.id), ("name", job.name), ("state", job.state), ("parties", parties)]
    facts += [("created", job.created_at or ""), ("ended", job.ended_at or "")]
    facts += [("priority", str(job.priority))] + ([("repeats", job.retry_of)] if job.retry_of else [])
    facts += [("pipeline", f"{job.pipeline}, version {job.pipeline_version}")] if job.pipeline else []
    facts += [("part", job.fragment)] if job.fragment else []
    facts += [("estimate", range_text(job.estimate.seconds, seconds_text))] if job.estimate else []
    if job.state == "running":
        facts.append(("time left", "unknown" if job.seconds_left is None else seconds_text(job.seconds_left)))
    draw_facts(console, facts)
    _draw_waiting(console, job)
    console.print()
    heads = ("task", "component", "state", "parties", "seconds", "peak memory", "sent", "doing")
    draw_table(console, heads, [_task_row(task) for task in job.tasks], "No tasks.")
    for failure in dict.fromkeys(_failures(job)):
        _draw_failure(console, failure)
    draw_learns(console, job)


def _draw_started(console: Console, job: Job) -> None:
    console.print(
        f"[green]✓[/] job [bold]{escape(job.id)}[/] {job.state}. [dim]See it run:[/] hanse job watch {job.id}"
    )
    _draw_waiting(console, job)


def _draw_waiting(console: Console, job: Job) -> None:
    tongue = language()
    for reason in job.waiting:
        words = " · ".join(part for part in (reason.party, reason.text.get(tongue), reason.cause) if part)
        console.print(f"  [yellow]waits:[/] {escape(words)}")
        console.print(f"  [dim]→[/] {escape(reason.advice.get(tongue, ''))}")


def draw_learns(console: Console, job: Job, indent: str = "") -> None:
    """Draw who learns what, once per sentence."""
    lines: dict[tuple[str, str], list[str]] = {}
    for task, roles in job.learns.items():
        for role, texts in roles.items():
            for text in texts:
                lines.setdefault((role, text), []).append(task)
    if lines:
        console.print(f"\n{indent}[bold]Who learns what[/]")
    for (role, text), tasks in lines.items():
        console.print(f"{indent}  [cyan]{role:<6}[/] {escape(text)} [dim]({', '.join(tasks)})[/]")
    for use in job.disclosure:
        ceiling = "" if use.ceiling is None else f" of {use.ceiling:,}"
        console.print(
            f"{indent}  [dim]exact sums of[/] {escape(use.dataset)} [dim]told to[/] {escape(use.guest)}:"
            f" {use.used:,}{ceiling} [dim](limit {use.limit:g})[/]"
        )


def _tasks_with_report(client: Client, job_id: str) -> list[str]:
    """Return the tasks of a job that have a report here. Raises HanseError("job.no_output") when none has."""
    job = client.job(job_id)
    found = [task.name for task in job.tasks if any(output.kind == "report" for output in task.outputs.values())]
    if not found:
        raise fault("job.no_output", f"no task of {job_id} has a report at this party", step="read the report")
    return found


def _draw_reports(console: Console, reports: dict[str, Report], trees: int) -> None:
    for number, (task, found) in enumerate(reports.items()):
        if len(reports) > 1:
            console.print(f"{chr(10) if number else ''}[bold cyan]{escape(task)}[/]")
        draw_report(console, found, trees)


def _watch(client: Client, job_id: str, as_json: bool) -> None:
    if as_json:
        for event in client.events(job_id):
            say_json(event)
        job = client.job(job_id)
        say_json(job)
    else:
        job = _draw_live(client, job_id)
    demand_success(job)


def _draw_live(client: Client, job_id: str) -> Job:
    console = screen()
    with Board(console) as board:
        board.job(client.job(job_id))
        for event in client.events(job_id):
            board.event(event)
            if event.kind in ("task", "job"):
                board.job(client.job(job_id))
        job = client.job(job_id)
        board.job(job)
    if job.state == "succeeded":
        console.print(f"[green]✓[/] [bold]{escape(job.name)}[/] succeeded [dim](hanse job show {job.id})[/]")
    return job


def _task_row(task: Task) -> tuple[object, ...]:
    sent = bytes_text(sum(task.bytes_sent.values())) if task.bytes_sent else ""
    doing = "" if task.progress is None or task.state != "running" else task.progress.note
    doing = f"from {task.reused_from}" if task.reused_from else doing
    memory = bytes_text(task.peak_memory_bytes) if task.peak_memory_bytes else ""
    seconds = seconds_text(task.seconds) if task.seconds else ""
    return task.name, task.component, task.state, ", ".join(task.parties), seconds, memory, sent, doing


def _failures(job: Job) -> Iterator[Fault]:
    """Yield what went wrong: a job usually ends by the fault of one of its tasks, so that one may come twice."""
    for failure in (job.fault, *(task.fault for task in job.tasks)):
        if failure is not None:
            yield failure.fault()


def _draw_failure(console: Console, told: Fault) -> None:
    """Draw a fault. Of a partner's only the code arrives: the catalogue says what it means and what helps."""
    tongue = language()
    where = " · ".join(part for part in (told.party, told.step) if part)
    console.print(f"[red]✗[/] {escape(where)}: {escape(told.cause or describe(told.code).text[tongue])}")
    if remedy := what_helps(HanseError(told), tongue):
        console.print(f"  [dim]→[/] {escape(remedy)}")
