"""`hanse project`: who works together."""

from typing import Annotated

import typer
from rich.markup import escape

from hanse.cli.options import DEFAULT_DIRECTORY, AsJson, Directory
from hanse.cli.screen import draw_table, show
from hanse.client import Client, connect
from hanse.client.resources import Project, ProjectMember
from hanse.core.faults import fault

projects = typer.Typer(no_args_is_help=True, help="Who works together.")


@projects.command(epilog="Example: hanse project create credit --member operator --member retailer")
def create(
    name: Annotated[str, typer.Argument(help="What the project is to be called.")],
    member: Annotated[list[str], typer.Option(help="An organisation to take part; once for each.", metavar="NAME")],
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Start a project with active members. They are asked, and accept on their own nodes."""
    with connect(directory) as client:
        project = client.create_project(name, member)
    _show_project(project, as_json, f"offered to {', '.join(member)}")


@projects.command(epilog="Example: hanse project accept credit")
def accept(
    project: Annotated[str, typer.Argument(help="Name or id of the project.")],
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Take part in a project that was offered to you, or agree to who has come since.

    Nothing of yours is used before you grant it, and nothing is shared with a newcomer before you agree.
    """
    with connect(directory) as client:
        client.accept_project(find_project(client, project).id)
        found = find_project(client, project)
    _show_project(found, as_json, "accepted")


@projects.command(epilog="Example: hanse project add credit retailer")
def add(
    project: Annotated[str, typer.Argument(help="Name or id of a project that you started.")],
    member: Annotated[list[str], typer.Argument(help="Organisations to be asked into it.", metavar="ORGANISATION")],
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Ask more organisations into your project. Each that is in it agrees before it shares anything with them."""
    with connect(directory) as client:
        found = client.add_project_members(find_project(client, project).id, member)
    _show_project(found, as_json, f"offered to {', '.join(member)}")


@projects.command(epilog="Example: hanse project remove credit retailer")
def remove(
    project: Annotated[str, typer.Argument(help="Name or id of a project that you started.")],
    member: Annotated[str, typer.Argument(help="The organisation that is to go.", metavar="ORGANISATION")],
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Take an organisation out of your project. The project's jobs with it end at all of their parties."""
    with connect(directory) as client:
        found = client.remove_project_member(find_project(client, project).id, member)
    _show_project(found, as_json, f"goes on without {member}")


@projects.command(epilog="Example: hanse project leave credit")
def leave(
    project: Annotated[str, typer.Argument(help="Name or id of a partner's project.")],
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Leave a partner's project. Its jobs end, and what you granted to it is of no use any more."""
    with connect(directory) as client:
        found = client.leave_project(find_project(client, project).id)
    _show_project(found, as_json, "left")


@projects.command("list", epilog="Example: hanse project list")
def list_projects(directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """List projects, those offered to you included."""
    with connect(directory) as client:
        found = client.projects()
    rows = [(p.name, p.owner, ", ".join(_tell_place(p, m) for m in p.members), p.id) for p in found]
    heads = ("name", "started by", "members", "id")
    empty = "No projects yet. Start with: hanse project create NAME --member ORGANISATION"
    show(found, as_json, lambda console: draw_table(console, heads, rows, empty))


def find_project(client: Client, project: str) -> Project:
    """Return a project by name or id. Raises HanseError with the names that there are."""
    known = client.projects()
    found = [one for one in known if project in (one.name, one.id)]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(one.id for one in found)
        raise fault("project.unknown", f"{len(found)} projects are called {project}", f"say which by id: {ids}")
    names = ", ".join(one.name for one in known) or "none yet"
    raise fault("project.unknown", f"there is no project {project}", f"there are: {names}")


def _tell_place(project: Project, member: ProjectMember) -> str:
    """Say how a member stands; one that has not agreed to the newest list of members yet, too."""
    behind = member.state == "accepted" and member.agreed < project.version
    return f"{member.organisation} ({member.state}{f' up to version {member.agreed}' if behind else ''})"


def _show_project(project: Project, as_json: bool, done: str) -> None:
    text = f"[green]✓[/] project [bold]{escape(project.name)}[/] {escape(done)} [dim]({project.id})[/]"
    show(project, as_json, lambda console: console.print(text))
