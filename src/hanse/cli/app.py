"""The command `hanse`. Errors end here: a fault is shown in words, with exit code 1, and never as a traceback."""

import os
import platform
import sys
from importlib.metadata import version as release_of

import typer
from rich.markup import escape

from hanse.cli.commands import (
    approvals,
    components,
    datasets,
    derived,
    grants,
    jobs,
    keys,
    models,
    node,
    notifications,
    pairing,
    pipelines,
    profiles,
    projects,
    registries,
    schedules,
    sources,
    templates,
    users,
)
from hanse.cli.commands.demo import demo
from hanse.cli.commands.doctor import doctor
from hanse.cli.commands.login import login
from hanse.cli.language import WORDS, language
from hanse.cli.options import AsJson
from hanse.cli.screen import error_screen, say_error, show
from hanse.core.faults import Fault, HanseError

INTERRUPTED = 130
TRACEBACK = "HANSE_TRACEBACK"

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Organisations that do not share raw data match ids, train and score together.",
    epilog="New here? Run `hanse demo`: three organisations on this machine, in less than a minute.",
)

app.command(epilog="Example: hanse demo --guest bank.csv --host operator.csv --id phone --label defaulted")(demo)
app.add_typer(node.commands, name="node")
app.command(epilog="Example: hanse invite --wait")(pairing.invite)
app.command(epilog="Example: hanse join hanse1-… --fingerprint '3f2a 9c1e …'")(pairing.join)
app.add_typer(pairing.members, name="member")
app.add_typer(registries.commands, name="registry")
app.command(epilog="Example: hanse doctor operator")(doctor)
app.add_typer(datasets.commands, name="dataset")
datasets.commands.add_typer(profiles.commands, name="profile")
app.add_typer(sources.commands, name="source")
app.add_typer(projects.projects, name="project")
app.add_typer(components.commands, name="component")
app.add_typer(pipelines.commands, name="pipeline")
app.add_typer(templates.commands, name="template")
app.add_typer(grants.commands, name="grant")
app.add_typer(grants.applications, name="application")
app.add_typer(derived.commands, name="derived")
app.add_typer(jobs.commands, name="job")
app.add_typer(schedules.commands, name="schedule")
app.add_typer(models.commands, name="model")
app.command(epilog="Example: hanse login https://node.bank.example:8480")(login)
app.add_typer(users.users, name="user")
app.add_typer(users.groups, name="group")
app.add_typer(users.sessions, name="session")
app.add_typer(keys.commands, name="key")
app.add_typer(notifications.commands, name="notification")
app.add_typer(approvals.commands, name="approval")
app.add_typer(approvals.rules, name="rule")
app.add_typer(approvals.policies, name="policy")


@app.command(epilog="Example: hanse version --json")
def version(as_json: AsJson = False) -> None:
    """Show the releases of Hanse and of what it runs on."""
    facts = {"hanse": release_of("hanse"), "python": platform.python_version(), "system": platform.platform()}
    text = f"hanse {facts['hanse']} [dim](Python {facts['python']}, {escape(facts['system'])})[/]"
    show(facts, as_json, lambda console: console.print(text))


def main() -> None:
    """Run the command line and exit with its code: 0 well, 1 a fault, 2 a wrong call, 130 interrupted."""
    try:
        app()
    except HanseError as error:
        say_error(error, "--json" in sys.argv[1:])
    except KeyboardInterrupt:
        error_screen().print(f"[yellow]{WORDS[language()]['interrupted']}[/]")
        sys.exit(INTERRUPTED)
    except Exception as error:  # the last stop: a mistake of ours is shown in words, too
        if os.environ.get(TRACEBACK):
            raise
        cause = f"{type(error).__name__}: {error}"
        remedy = f"run it again with {TRACEBACK}=1 to see where, and report it"
        say_error(HanseError(Fault("internal", cause=cause, remedy=remedy)), "--json" in sys.argv[1:])
    sys.exit(1)
