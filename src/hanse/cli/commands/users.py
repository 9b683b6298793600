"""`hanse user`, `hanse group`, `hanse session`: the people of this organisation."""

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from hanse.cli.options import DEFAULT_DIRECTORY, AsJson, Directory
from hanse.cli.screen import draw_facts, draw_table, show
from hanse.client import calls, connect
from hanse.client.login import Desk, find_node, logged_in
from hanse.client.resources import OneTimeLink, RecoveryCodes, User
from hanse.core.faults import fault

users = typer.Typer(no_args_is_help=True, help="Accounts of this organisation's people.")
groups = typer.Typer(no_args_is_help=True, help="Groups: what their people may do.")
sessions = typer.Typer(no_args_is_help=True, help="Who is logged in.")

UserName = Annotated[str, typer.Argument(help="Name or id of a user: hanse user list.", metavar="USER")]
OwnName = Annotated[str, typer.Argument(help="Name of one's own account.", metavar="NAME")]
Code = Annotated[str, typer.Option(help="A code of the authenticator, where there is one.")]
GroupName = Annotated[str, typer.Argument(help="Name of a group: hanse group list.", metavar="GROUP")]
Granted = Annotated[
    list[str] | None,
    typer.Option("--permit", help="A permission and how far it reaches: jobs.run=own, datasets.read=all."),
]


@users.command("list", epilog="Example: hanse user list --json")
def list_users(directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """List the accounts."""
    with connect(directory) as client:
        found = client.users()
    rows = [(u.name, u.state, ", ".join(u.groups), "yes" if u.totp else "no", u.login_at, u.id) for u in found]
    heads = ("name", "state", "groups", "authenticator", "last login", "id")
    show(found, as_json, lambda console: draw_table(console, heads, rows, "No users yet: hanse user setup-link"))


@users.command("show", epilog="Example: hanse user show li.wei")
def show_user(user: UserName, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Show one account."""
    with connect(directory) as client:
        found = client.user(user)
    show(found, as_json, lambda console: draw_user(console, found))


@users.command("add", epilog="Example: hanse user add li.wei --group modeller --group approver")
def add_user(
    name: Annotated[str, typer.Argument(help="Name to log in with.")],
    group: Annotated[list[str] | None, typer.Option(help="A group; say it several times for several.")] = None,
    email: Annotated[str, typer.Option(help="Where notifications go.")] = "",
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Make an account and the one-time link where its user chooses a password."""
    with connect(directory) as client:
        made = client.add_user(name, group or [], email)
    show(made, as_json, lambda console: draw_link(console, made))


@users.command("disable", epilog="Example: hanse user disable li.wei")
def disable_user(user: UserName, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Shut an account; its sessions and keys end at once."""
    with connect(directory) as client:
        found = client.disable_user(user)
    show(found, as_json, lambda console: draw_user(console, found))


@users.command("enable", epilog="Example: hanse user enable li.wei")
def enable_user(user: UserName, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Open a disabled account again."""
    with connect(directory) as client:
        found = client.enable_user(user)
    show(found, as_json, lambda console: draw_user(console, found))


@users.command("unlock", epilog="Example: hanse user unlock li.wei")
def unlock_user(user: UserName, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Forget an account's failed logins, so that it need not wait."""
    with connect(directory) as client:
        found = client.unlock_user(user)
    show(found, as_json, lambda console: draw_user(console, found))


@users.command("reset", epilog="Example: hanse user reset li.wei --totp")
def reset_user(
    user: UserName,
    totp: Annotated[bool, typer.Option("--totp", help="The authenticator was lost, too.")] = False,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Make a one-time link where the user chooses a new password; its sessions end."""
    with connect(directory) as client:
        made = client.reset_user(user, totp)
    show(made, as_json, lambda console: draw_link(console, made))


@users.command("setup-link", epilog="Example: hanse user setup-link")
def make_setup_link(directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Make the one-time link for the first administrator again; those before it work no longer."""
    with connect(directory) as client:
        made = client.setup_link()
    show(made, as_json, lambda console: draw_link(console, made))


@users.command("setup", epilog="Example: hanse user setup li.wei")
def set_up(
    name: Annotated[str, typer.Argument(help="Name of the first administrator.")],
    code: Annotated[str, typer.Option(prompt="Code or link", help="The one-time link, or the code at its end.")],
    password: Annotated[str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True)],
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Make the first administrator from here, with the one-time link."""
    with connect(directory) as client:
        done = client.set_up(code.rpartition("#")[2], name, password)
    show(done, as_json, lambda console: console.print(f"{escape(done.name)} is the first administrator."))


@users.command("choose-password", epilog="Example: hanse user choose-password")
def choose_password(
    code: Annotated[str, typer.Option(prompt="Code or link", help="The one-time link, or the code at its end.")],
    password: Annotated[str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True)],
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Choose a password with a one-time link."""
    with connect(directory) as client:
        client.choose_password(code.rpartition("#")[2], password)
    show(None, as_json, lambda console: console.print("The password is chosen."))


@users.command("change", epilog="Example: hanse user change li.wei --email li.wei@bank.example")
def change_user(
    user: UserName,
    email: Annotated[str | None, typer.Option(help="Where its notifications go.")] = None,
    must_change: Annotated[
        bool | None, typer.Option("--must-change/--need-not-change", help="It has to choose another password first.")
    ] = None,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Change an account's e-mail address, or ask for another password."""
    with connect(directory) as client:
        changed = client.change_user(user, email, must_change)
    show(changed, as_json, lambda console: draw_user(console, changed))


@users.command("projects", epilog="Example: hanse user projects li.wei --add credit --remove fraud")
def change_projects(
    user: UserName,
    add: Annotated[list[str] | None, typer.Option(help="A project in which it works from now on.")] = None,
    remove: Annotated[list[str] | None, typer.Option(help="A project in which it works no longer.")] = None,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Show in which projects somebody works, after letting it in or out."""
    with connect(directory) as client:
        for project in add or ():
            client.add_project_person(project, user)
        for project in remove or ():
            client.remove_project_person(project, user)
        names = {project.id: project.name for project in client.projects()}
        found = [names.get(project, project) for project in client.user(user).projects]
    show(
        found,
        as_json,
        lambda console: draw_table(console, ("project",), [(name,) for name in found], "works in no project"),
    )


@users.command("password", epilog="Example: hanse user password li.wei")
def change_password(
    name: OwnName,
    old: Annotated[str, typer.Option(prompt="Password until now", hide_input=True)],
    password: Annotated[str, typer.Option(prompt="New password", hide_input=True, confirmation_prompt=True)],
    code: Code = "",
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Change one's own password; one's other sessions end."""

    async def change() -> None:
        async with as_user(directory, name, old, code) as desk:
            await desk.ask(calls.change_password(old, password))

    asyncio.run(change())
    show(None, as_json, lambda console: console.print("The password is changed."))


@users.command("totp", epilog="Example: hanse user totp li.wei")
def change_totp(
    name: OwnName,
    password: Annotated[str, typer.Option(prompt=True, hide_input=True)],
    code: Code = "",
    remove: Annotated[bool, typer.Option("--remove", help="Do without it again.")] = False,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Enrol one's own authenticator, which every login asks from then on; or remove it."""

    async def change() -> RecoveryCodes | None:
        async with as_user(directory, name, password, code) as desk:
            if remove:
                await desk.ask(calls.remove_totp(password))
                return None
            made = await desk.ask(calls.enrol_totp(password))
            typer.echo(f"Give this to the authenticator: {made.secret}\nor its address: {made.uri}", err=True)
            shown = await asyncio.to_thread(typer.prompt, "Code that it shows", err=True)
            return await desk.ask(calls.confirm_totp(shown))

    told = asyncio.run(change())
    words = (
        "The authenticator is removed."
        if told is None
        else "Recovery codes, each good once: " + " ".join(told.recovery_codes)
    )
    show(told, as_json, lambda console: console.print(words))


def as_user(directory: Path, name: str, password: str, code: str) -> AbstractAsyncContextManager[Desk]:
    """Log in as somebody at the node that other commands speak to."""
    here = find_node(directory.expanduser())
    return logged_in(here.rest, here.fingerprint, name, password, code)


@groups.command("list", epilog="Example: hanse group list")
def list_groups(directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """List the groups, what they permit and who is in them."""
    with connect(directory) as client:
        found = client.groups()
    rows = [(g.name, ", ".join(p.name for p in g.people), say_permissions(g.permissions)) for g in found]
    show(found, as_json, lambda console: draw_table(console, ("name", "people", "permits"), rows, "No groups."))


@groups.command("permissions", epilog="Example: hanse group permissions")
def list_permissions(directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """List everything that a group can permit."""
    with connect(directory) as client:
        found = client.permissions()
    show(found, as_json, lambda console: draw_table(console, ("permission",), [(name,) for name in found], ""))


@groups.command("add", epilog="Example: hanse group add readers --permit jobs.read=all --permit models.read=own")
def add_group(
    name: Annotated[str, typer.Argument(help="Name of the new group.")],
    permit: Granted = None,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Make a group."""
    with connect(directory) as client:
        done = client.add_group(name, read_permissions(permit or []))
    show(done, as_json, lambda console: console.print(f"Group {escape(done.name)}."))


@groups.command("change", epilog="Example: hanse group change readers --permit jobs.read=own")
def change_group(
    name: GroupName, permit: Granted = None, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False
) -> None:
    """Give a group exactly these permissions."""
    with connect(directory) as client:
        done = client.change_group(name, read_permissions(permit or []))
    show(done, as_json, lambda console: console.print(f"Group {escape(done.name)}."))


@groups.command("remove", epilog="Example: hanse group remove readers")
def remove_group(name: GroupName, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Remove a group."""
    with connect(directory) as client:
        client.remove_group(name)
    show(None, as_json, lambda console: console.print(f"Group {escape(name)} is gone."))


@groups.command("add-user", epilog="Example: hanse group add-user approver li.wei")
def add_to_group(
    name: GroupName, user: UserName, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False
) -> None:
    """Put a user into a group; its sessions end."""
    with connect(directory) as client:
        client.add_to_group(name, user)
    show(None, as_json, lambda console: console.print(f"{escape(user)} is in {escape(name)}."))


@groups.command("remove-user", epilog="Example: hanse group remove-user approver li.wei")
def remove_from_group(
    name: GroupName, user: UserName, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False
) -> None:
    """Take a user out of a group; its sessions end."""
    with connect(directory) as client:
        client.remove_from_group(name, user)
    show(None, as_json, lambda console: console.print(f"{escape(user)} is not in {escape(name)}."))


@sessions.command("list", epilog="Example: hanse session list --everybody")
def list_sessions(
    everybody: Annotated[bool, typer.Option("--everybody", help="Not only one's own.")] = False,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """List live sessions."""
    with connect(directory) as client:
        found = client.sessions(everybody)
    rows = [(s.id, s.user, s.address, s.agent, s.seen_at, s.ends_at) for s in found]
    heads = ("id", "user", "address", "program", "last seen", "ends")
    show(found, as_json, lambda console: draw_table(console, heads, rows, "Nobody is logged in."))


@sessions.command("end", epilog="Example: hanse session end session-5f2c9a7d01b4e6c8")
def end_session(
    session: Annotated[str, typer.Argument(help="Id of a session: hanse session list --everybody.")],
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """End a session."""
    with connect(directory) as client:
        client.end_session(session)
    show(None, as_json, lambda console: console.print("The session has ended."))


def read_permissions(said: list[str]) -> dict[str, str]:
    """Return `jobs.run=own` as permission and scope; without a scope it is `own`. Raises `request.invalid`."""
    pairs = [text.partition("=") for text in said]
    if wrong := [name for name, _, scope in pairs if scope not in {"", "own", "all"}]:
        raise fault("request.invalid", f"{', '.join(wrong)}: a permission reaches `own` or `all`")
    return {name: scope or "own" for name, _, scope in pairs}


def say_permissions(permissions: dict[str, str]) -> str:
    return " ".join(f"{name}={scope}" for name, scope in permissions.items())


def draw_user(console: Console, user: User) -> None:
    draw_facts(
        console,
        (
            ("id", user.id),
            ("name", user.name),
            ("e-mail", user.email),
            ("state", user.state),
            ("locked until", user.locked_until),
            ("groups", ", ".join(user.groups)),
            ("projects", ", ".join(user.projects)),
            ("authenticator", "yes" if user.totp else "no"),
            ("last login", user.login_at),
        ),
    )


def draw_link(console: Console, made: OneTimeLink) -> None:
    """Show a link, which is never shown again."""
    name = made.user.name if made.user is not None else "the first administrator"
    draw_facts(console, (("for", name), ("link", made.link), ("works", "once, for 24 hours")))
