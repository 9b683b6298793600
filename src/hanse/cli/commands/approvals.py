"""`hanse approval`, `hanse rule`, `hanse policy`: what waits for a person, and what does not have to."""

from enum import StrEnum
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.markup import escape

from hanse.cli.estimates import draw_estimate
from hanse.cli.options import DEFAULT_DIRECTORY, AsJson, Directory
from hanse.cli.screen import draw_facts, draw_table, show
from hanse.client import connect
from hanse.client.resources import Approval
from hanse.core.estimates import Estimate

commands = typer.Typer(no_args_is_help=True, help="What waits for a decision, and what was decided.")
rules = typer.Typer(no_args_is_help=True, help="What is approved without a person, within limits.")
policies = typer.Typer(no_args_is_help=True, help="Which kinds wait for approval, and by how many.")

View = StrEnum("View", ["to-decide", "mine", "decided", "watched", "all"])
Requirement = StrEnum("Requirement", ["never", "partner", "always"])
Id = Annotated[str, typer.Argument(help="Id of the approval: hanse approval list.")]
Reason = Annotated[str, typer.Option(help="Why; whoever asked reads it.", metavar="TEXT")]
Digest = Annotated[
    str | None, typer.Option(help="The digest that `show` told. Without: that of now.", metavar="SHA256")
]


@commands.command("list", epilog="Example: hanse approval list --view to-decide")
def list_approvals(
    view: Annotated[View, typer.Option(help="Which of them.")] = View["all"],
    after: Annotated[str, typer.Option(help="Go on after this id.", metavar="ID")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """List approvals, newest first."""
    with connect(directory) as client:
        found = client.approvals(view.value, after, limit)
    rows = [(a.id, a.kind, a.title, a.state, a.requester, a.created_at) for a in found]
    heads = ("id", "kind", "title", "state", "asked by", "at")
    show(found, as_json, lambda console: draw_table(console, heads, rows, "Nothing here."))


@commands.command("show", epilog="Example: hanse approval show approval-5f2c9a7d01b4e6c8")
def show_approval(approval: Id, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Show what is to be decided: of a job who learns what, its datasets, the disclosure figure and the pipeline."""
    with connect(directory) as client:
        found = client.approval(approval)
    show(found, as_json, lambda console: _draw(console, found))


@commands.command(epilog="Example: hanse approval approve approval-5f2c9a7d01b4e6c8 --reason 'as agreed'")
def approve(
    approval: Id,
    digest: Digest = None,
    reason: Reason = "",
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Approve exactly what was shown."""
    with connect(directory) as client:
        found = client.approve(approval, digest or client.approval(approval).digest, reason)
    _say(found, as_json)


@commands.command(epilog="Example: hanse approval reject approval-5f2c9a7d01b4e6c8 --reason 'too many columns'")
def reject(
    approval: Id,
    digest: Digest = None,
    reason: Reason = "",
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Reject it: one rejection ends it."""
    with connect(directory) as client:
        found = client.reject(approval, digest or client.approval(approval).digest, reason)
    _say(found, as_json)


@commands.command(epilog="Example: hanse approval withdraw approval-5f2c9a7d01b4e6c8")
def withdraw(approval: Id, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Take back what you asked for."""
    with connect(directory) as client:
        found = client.withdraw(approval)
    _say(found, as_json)


@commands.command(epilog="Example: hanse approval watch approval-5f2c9a7d01b4e6c8 --off")
def watch(
    approval: Id,
    off: Annotated[bool, typer.Option("--off", help="Hear no more of it.")] = False,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Hear what becomes of an approval."""
    with connect(directory) as client:
        found = client.watch_approval(approval, not off)
    _say(found, as_json)


@commands.command(epilog="Example: hanse approval delegate user-5f2c9a7d01b4e6c8 --until 2026-12-31")
def delegate(
    person: Annotated[str, typer.Argument(help="Id of the person that is to decide in your place.")],
    until: Annotated[str, typer.Option(help="A day, or a time with an offset.", metavar="TIME")],
    approval: Annotated[str, typer.Option(help="Only this one. Without: all that you may decide.", metavar="ID")] = "",
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Let somebody decide in your place, but never what he asked for himself."""
    with connect(directory) as client:
        found = client.delegate(person, until, approval)
    text = f"[green]✓[/] {escape(found.receiver)} decides until {escape(found.until)} [dim]({found.id})[/]"
    show(found, as_json, lambda console: console.print(text))


@commands.command(epilog="Example: hanse approval delegations")
def delegations(directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """List the delegations in force that you gave or received."""
    with connect(directory) as client:
        found = client.delegations()
    rows = [(d.id, d.giver, d.receiver, d.approval or "all", d.until) for d in found]
    heads = ("id", "from", "to", "approval", "until")
    show(found, as_json, lambda console: draw_table(console, heads, rows, "None."))


@commands.command(epilog="Example: hanse approval undelegate delegation-5f2c9a7d01b4e6c8")
def undelegate(
    delegation: Annotated[str, typer.Argument(help="Id of the delegation.")],
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """End a delegation."""
    with connect(directory) as client:
        found = client.end_delegation(delegation)
    show(found, as_json, lambda console: console.print(f"[green]✓[/] {escape(delegation)} ended"))


@rules.command("add", epilog="Example: hanse rule add job --project credit --a-day 20 --most-disclosure 0.1")
def add_rule(
    kind: Annotated[str, typer.Argument(help="What it approves: job, project, grant, …")],
    project: Annotated[str, typer.Option(help="Only in this project.", metavar="NAME")] = "",
    partner: Annotated[str, typer.Option(help="Only of this organisation.", metavar="NAME")] = "",
    component: Annotated[list[str] | None, typer.Option(help="Only these components; once for each.")] = None,
    most_disclosure: Annotated[float | None, typer.Option(help="Up to this disclosure figure.")] = None,
    most_rows: Annotated[int | None, typer.Option(help="Up to this many rows.")] = None,
    a_day: Annotated[int | None, typer.Option(help="So many times in 24 hours.")] = None,
    until: Annotated[str | None, typer.Option(help="A day, or a time with an offset.", metavar="TIME")] = None,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Approve from now on what stays inside all of these limits."""
    limits: dict[str, Any] = {"most_disclosure": most_disclosure, "most_rows": most_rows, "a_day": a_day}
    limits |= {"components": component or [], "project": project, "partner": partner, "until": until}
    with connect(directory) as client:
        rule = client.add_rule(kind, **limits)
    text = f"[green]✓[/] {escape(kind)}: approved within these limits [dim]({rule.id})[/]"
    show(rule, as_json, lambda console: console.print(text))


@rules.command("list", epilog="Example: hanse rule list")
def list_rules(directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """List the rules in force."""
    with connect(directory) as client:
        found = client.rules()
    rows = [
        (r.id, r.kind, r.project, r.partner, ", ".join(r.components), r.most_disclosure, r.most_rows, r.a_day, r.until)
        for r in found
    ]
    heads = ("id", "kind", "project", "partner", "components", "disclosure", "rows", "a day", "until")
    show(found, as_json, lambda console: draw_table(console, heads, rows, "No rules: a person decides."))


@rules.command("remove", epilog="Example: hanse rule remove rule-5f2c9a7d01b4e6c8")
def remove_rule(
    rule: Annotated[str, typer.Argument(help="Id of the rule: hanse rule list.")],
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Let a rule approve nothing more. What it has approved stays so."""
    with connect(directory) as client:
        found = client.remove_rule(rule)
    show(found, as_json, lambda console: console.print(f"[green]✓[/] {escape(rule)} removed"))


@policies.command("list", epilog="Example: hanse policy list")
def list_policies(directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """List how each kind is decided."""
    with connect(directory) as client:
        found = client.policies()
    rows = [(p.kind, p.required, p.approvers, f"{p.remind_hours} h") for p in found]
    heads = ("kind", "approval required", "approvers", "reminded after")
    show(found, as_json, lambda console: draw_table(console, heads, rows, ""))


@policies.command("set", epilog="Example: hanse policy set job always --approvers 2")
def set_policy(
    kind: Annotated[str, typer.Argument(help="Which kind: hanse policy list.")],
    required: Annotated[Requirement, typer.Argument(help="Never, when a partner asks, or always.")],
    approvers: Annotated[int, typer.Option(min=1, max=9)] = 1,
    remind_hours: Annotated[int, typer.Option(min=1, max=2160)] = 24,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Say when a kind waits for approval, by how many, and when they are told again."""
    with connect(directory) as client:
        found = client.change_policy(kind, required.value, approvers, remind_hours)
    text = f"[green]✓[/] {escape(kind)}: {found.required}, {found.approvers} to approve"
    show(found, as_json, lambda console: console.print(text))


def _say(approval: Approval, as_json: bool) -> None:
    text = f"[green]✓[/] {escape(approval.title)}: [bold]{approval.state}[/] [dim]({approval.id})[/]"
    show(approval, as_json, lambda console: console.print(text))


def _draw(console: Console, approval: Approval) -> None:
    names = ("kind", "title", "state", "requester", "project", "subject", "digest", "needed", "rule", "reason")
    draw_facts(console, [(name, getattr(approval, name)) for name in names])
    details = approval.details
    learns = [(task, line["role"], line["text"]) for task, lines in details.get("learns", {}).items() for line in lines]
    if learns:
        console.print("\n[bold]Who learns what[/]")
        draw_table(console, ("task", "who", "learns"), learns, "")
    if figures := details.get("disclosure"):
        console.print("\n[bold]What your data tell[/]")
        heads = ("dataset", "rows", "planned", "told before", "figure", "limit")
        rows = [
            (f["dataset"], f["rows"], f["planned"], f["told_before"], f"{f['disclosure']:.3g}", f["limit"])
            for f in figures
        ]
        draw_table(console, heads, rows, "")
    if expected := details.get("estimate"):
        console.print("\n[bold]What it takes here[/]")
        draw_estimate(console, msgspec.convert(expected, Estimate))
    tasks = details.get("pipeline", {}).get("tasks", {})
    if tasks:
        console.print("\n[bold]Pipeline[/]")
        lines = [(name, task["component"], task.get("settings", {})) for name, task in tasks.items()]
        draw_table(console, ("task", "component", "settings"), lines, "")
    for vote in approval.votes:
        console.print(f"{escape(vote['voter'])}: {vote['verdict']} [dim]{vote['at']}[/] {escape(vote['reason'])}")
