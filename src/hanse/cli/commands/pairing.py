"""`hanse invite`, `hanse join`, `hanse member`: two organisations come to know each other, and part."""

import sys
import time
from typing import Annotated

import typer
from rich.markup import escape

from hanse.cli.options import DEFAULT_DIRECTORY, AsJson, Directory, Fingerprint, Yes
from hanse.cli.screen import draw_facts, draw_table, error_screen, say_json, screen, show
from hanse.client import Client, connect
from hanse.client.resources import Inspection, Member
from hanse.core.faults import fault

POLL_S = 1.0

members = typer.Typer(no_args_is_help=True, help="The organisations that this node knows.")


def invite(
    directory: Directory = DEFAULT_DIRECTORY,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the other side, then ask and confirm.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Invite another organisation.

    Prints a code that holds for one organisation and one day. Send it to the other administrator, and read them the
    fingerprint over another channel: by telephone, not in the same message. When they have joined, confirm them.
    """
    with connect(directory) as client:
        before = {member.organisation_id for member in client.members() if member.state == "active"}
        invitation = client.invite()
        if as_json:
            say_json(invitation)
        else:
            console = screen()
            console.print("Send this code to the other administrator:\n")
            console.print(f"    [bold]{escape(invitation.code)}[/]\n", soft_wrap=True)
            draw_facts(console, (("your fingerprint", invitation.fingerprint), ("valid until", invitation.expires_at)))
            console.print(f"\n[dim]They run[/]  hanse join {escape(invitation.code)}", soft_wrap=True)
            console.print("[dim]and you then[/]  hanse member list   hanse member confirm NAME" if not wait else "")
        if wait:
            member = _confirm(client, _await_newcomer(client, before), None, yes)
            _show_member(member, as_json, "confirmed")


def join(
    code: Annotated[str, typer.Argument(help="The code that the other administrator sent.", metavar="CODE")],
    directory: Directory = DEFAULT_DIRECTORY,
    fingerprint: Fingerprint = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Accept an invitation.

    Shows whose it is and asks before anything is sent. Compare the fingerprint with what the inviter reads to you; or
    hand it over as --fingerprint, and the command compares.
    """
    with connect(directory) as client:
        found = client.inspect(code)
        _demand_match(found.organisation, (found.fingerprint, found.pair_fingerprint), fingerprint)
        if fingerprint is None and not yes:
            _ask_to_join(found)
        member = client.join(code, found.pair_fingerprint).member
    _show_member(member, as_json, "joined; it is active when they have confirmed")


@members.command("list", epilog="Example: hanse member list --json")
def list_members(directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """List the organisations that this node knows, and whether they can be reached."""
    with connect(directory) as client:
        found = client.members()
    heads = (
        "organisation",
        "state",
        "reachable",
        "latency",
        "address",
        "region",
        "release",
        "certificate",
        "last seen",
    )
    rows = [
        (m.organisation, m.state, _reach(m), _latency(m), m.address, m.region, m.version, _certificate(m), m.last_seen)
        for m in found
    ]
    show(found, as_json, lambda console: draw_table(console, heads, rows, "No members yet. Start with: hanse invite"))


@members.command(epilog="Example: hanse member confirm operator --fingerprint '3f2a 9c1e …'")
def confirm(
    organisation: Annotated[str, typer.Argument(help="Name or id of the organisation.")],
    directory: Directory = DEFAULT_DIRECTORY,
    fingerprint: Fingerprint = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Confirm an organisation that accepted your invitation, after comparing the fingerprint with its administrator."""
    with connect(directory) as client:
        member = _confirm(client, find_member(client, organisation), fingerprint, yes)
    _show_member(member, as_json, "confirmed")


@members.command(epilog="Example: hanse member suspend operator")
def suspend(
    organisation: Annotated[str, typer.Argument(help="Name or id of the organisation.")],
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Cut an organisation off at once: no message passes in either direction until it is resumed."""
    with connect(directory) as client:
        member = find_member(client, organisation)
        client.suspend_member(member.organisation_id)
        member = find_member(client, member.organisation_id)
    _show_member(member, as_json, "suspended")


@members.command(epilog="Example: hanse member resume operator")
def resume(
    organisation: Annotated[str, typer.Argument(help="Name or id of the organisation.")],
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Let a suspended organisation in again."""
    with connect(directory) as client:
        member = find_member(client, organisation)
        client.resume_member(member.organisation_id)
        member = find_member(client, member.organisation_id)
    _show_member(member, as_json, "resumed")


@members.command(epilog="Example: hanse member revoke operator --reason 'The contract has ended.'")
def revoke(
    organisation: Annotated[str, typer.Argument(help="Name or id of the organisation.")],
    directory: Directory = DEFAULT_DIRECTORY,
    reason: Annotated[str, typer.Option(help="Why; kept in the list of revocations.", metavar="TEXT")] = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Trust an organisation no longer, for good. Jobs with it end; only a new pairing lets it in again."""
    with connect(directory) as client:
        member = find_member(client, organisation)
        if not yes:
            question = f"Trust {member.organisation} no longer? Only a new pairing lets it in again."
            _ask(question, "member.kept", "say so on the command line: --yes")
        client.revoke_member(member.organisation_id, reason)
        member = find_member(client, member.organisation_id)
    _show_member(member, as_json, "revoked")


@members.command("show", epilog="Example: hanse member show operator")
def show_member(
    organisation: Annotated[str, typer.Argument(help="Name or id of the organisation.")],
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Show all that this node knows of an organisation: how it stands, how it is reached, what it says of itself."""
    with connect(directory) as client:
        member = find_member(client, organisation)
    show(member, as_json, lambda console: draw_facts(console, _facts(member)))


@members.command("invitations", epilog="Example: hanse member invitations")
def list_invitations(directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """List your invitations, newest first. Their codes were shown once and are not kept."""
    with connect(directory) as client:
        found = client.invitations()
    rows = [(one.id, one.state, one.created_at, one.expires_at, one.used_by) for one in found]
    heads = ("number", "state", "made", "valid until", "used by")
    show(
        found, as_json, lambda console: draw_table(console, heads, rows, "No invitations. Make one with: hanse invite")
    )


@members.command(epilog="Example: hanse member withdraw 5f2c9a7d01b4e6c8")
def withdraw(
    invitation: Annotated[str, typer.Argument(help="Its number: hanse member invitations.", metavar="NUMBER")],
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Make an invitation worthless that nobody has come with."""
    with connect(directory) as client:
        found = client.withdraw_invitation(invitation)
    show(found, as_json, lambda console: console.print(f"[green]✓[/] invitation {escape(found.id)} withdrawn"))


def find_member(client: Client, organisation: str) -> Member:
    """Return a member by name or id. Raises HanseError with the names that there are."""
    known = client.members()
    found = [member for member in known if organisation in (member.organisation, member.organisation_id)]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(member.organisation_id for member in found)
        raise fault("member.unknown", f"{len(found)} members are called {organisation}", f"say which by id: {ids}")
    names = ", ".join(member.organisation for member in known) or "nobody yet"
    raise fault("member.unknown", f"this node does not know {organisation}", f"it knows: {names}")


def _await_newcomer(client: Client, before: set[str]) -> Member:
    while True:
        newcomers = [m for m in client.members() if m.state == "pending" and m.organisation_id not in before]
        if newcomers:
            return newcomers[0]
        time.sleep(POLL_S)


def _confirm(client: Client, member: Member, fingerprint: str | None, yes: bool) -> Member:
    _demand_match(member.organisation, (member.pair_fingerprint,), fingerprint)
    if fingerprint is None and not yes:
        draw_facts(error_screen(), (("organisation", member.organisation), ("fingerprint", member.pair_fingerprint)))
        _ask(f"Does {member.organisation} see the same fingerprint?")
    client.confirm_member(member.organisation_id, member.pair_fingerprint)
    return find_member(client, member.organisation_id)


def _ask_to_join(found: Inspection) -> None:
    facts = (
        ("invited by", found.organisation),
        ("their fingerprint", found.fingerprint),
        ("of this pair", found.pair_fingerprint),
    )
    draw_facts(error_screen(), facts)
    _ask(f"Did {found.organisation} read you the same fingerprint, and do you want to join?")


def _ask(
    question: str, code: str = "pairing.unconfirmed", way: str = "compare it and hand it over: --fingerprint"
) -> None:
    if not sys.stdin.isatty():
        raise fault(code, "nobody can be asked: the input is no terminal", way)
    if not typer.confirm(question, err=True):
        raise fault(code, "you said no")


def _demand_match(organisation: str, shown: tuple[str, ...], expected: str | None) -> None:
    if expected is None or _digits(expected) in [_digits(one) for one in shown]:
        return
    raise fault(
        "pairing.mismatch",
        f"{organisation} has {shown[0]}, you expect {expected}",
        "do not go on before both administrators read the same fingerprint: somebody may sit between you",
        step="compare fingerprints",
    )


def _digits(fingerprint: str) -> str:
    return "".join(fingerprint.split()).replace("-", "").replace(":", "").lower()


def _reach(member: Member) -> str:
    return "yes" if member.connected else "no"


def _latency(member: Member) -> str:
    return "" if member.latency_ms is None else f"{member.latency_ms:.1f} ms"


def _certificate(member: Member) -> str:
    """Say until when the certificate holds that the member showed last."""
    return member.certificate_until[:10]


def _facts(member: Member) -> tuple[tuple[str, object], ...]:
    median = "" if member.latency_median_ms is None else f" (median {member.latency_median_ms:.1f} ms)"
    return (
        ("organisation", member.organisation),
        ("id", member.organisation_id),
        ("state", member.state),
        ("paired", member.paired_at),
        ("pair fingerprint", member.pair_fingerprint),
        ("address", member.address),
        ("reachable", f"yes, since {member.connected_since}" if member.connected else "no"),
        ("latency", _latency(member) + median),
        ("last seen", member.last_seen or ""),
        ("certificate until", member.certificate_until),
        ("release", member.version or ""),
        ("region", member.region),
        ("contact", member.contact),
        ("pool", member.pool),
    )


def _show_member(member: Member, as_json: bool, done: str) -> None:
    text = f"[green]✓[/] [bold]{escape(member.organisation)}[/] {done} [dim]({member.state})[/]"
    show(member, as_json, lambda console: console.print(text))
