"""lpad: runs the daemon, writes and checks settings, tries cards and platforms, and simulates both."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import click

import lpad
from lpad.base.errors import LpadError
from lpad.cli import optional_dependencies
from lpad.cli.terminal import exit_codes
from lpad.cli.terminal.output import Output, OutputLostError, end_without_output
from lpad.cli.terminal.wrong_program import ProgramGroup


def _demo() -> click.Command:
    from lpad.cli.simulated.demo import demo  # noqa: PLC0415 - only this command needs it

    return demo


def _platform() -> click.Command:
    from lpad.cli.platforms.platform_command import platform  # noqa: PLC0415 - only this command needs it

    return platform


def _probe() -> click.Command:
    from lpad.cli.offline_probe import probe  # noqa: PLC0415 - only this command needs it

    return probe


def _setup() -> click.Command:
    from lpad.cli.setup.setup_command import setup  # noqa: PLC0415 - only this command needs it

    return setup


def _sim() -> click.Command:
    from lpad.cli.simulated.sim_command_group import sim  # noqa: PLC0415 - only this command needs it

    return sim


_LOADED_WHEN_CALLED = {"demo": _demo, "platform": _platform, "probe": _probe, "setup": _setup, "sim": _sim}


class _LazyGroup(ProgramGroup):
    """A group that imports some commands only when called, because the daemon must not load a simulator."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *_LOADED_WHEN_CALLED])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if (sentence := optional_dependencies.lacking(cmd_name)) is not None:
            return optional_dependencies.unavailable(cmd_name, sentence)
        load = _LOADED_WHEN_CALLED.get(cmd_name)
        return super().get_command(ctx, cmd_name) if load is None else load()


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=exit_codes.table(),
)
@click.version_option(lpad.__version__, prog_name="lpad")
def cli() -> None:
    """Local Profile Assistant daemon: downloads and switches eSIM profiles."""


@cli.command()
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=Path("/etc/lpad/lpad.yaml"),
    show_default=True,
    help="Settings file.",
)
def serve(config: Path) -> None:
    """Run the daemon."""
    # Nearly all objects that the start creates are needed until the end, so garbage collection is
    # off until the daemon is ready.
    gc.disable()
    from lpad.daemon import daemon  # noqa: PLC0415 - check-config needs none of it
    from lpad.settings import SettingsFile  # noqa: PLC0415 - only this command needs it

    daemon.run(SettingsFile.read(config))


@cli.command("hook-runner")
@click.option(
    "--socket",
    "path",
    type=click.Path(path_type=Path),
    help="Socket to listen on; without this option, the one that systemd passes.",
)
@click.option(
    "--command",
    type=click.Path(path_type=Path),
    default=Path("/etc/lpad/network-command"),
    show_default=True,
    help="Program of the applier 'command'.",
)
@click.option(
    "--hooks",
    type=click.Path(path_type=Path),
    default=Path("/etc/lpad/hooks.d"),
    show_default=True,
    help="Folder with the hooks.",
)
def hook_runner(path: Path | None, command: Path, hooks: Path) -> None:
    """Run the owner's network command and hooks for the daemon, as the user who starts this process."""
    from lpad.daemon.hook_runner_main import run  # noqa: PLC0415 - the other commands need none of it

    run(path, command=command, hooks=hooks)


@cli.command("port-opener")
def port_opener() -> None:
    """Open modems' control ports for the daemon, as root; systemd starts this process with its socket."""
    from lpad.daemon.port_opener_main import run  # noqa: PLC0415 - the other commands need none of it

    run()


@cli.command("check-config")
@click.argument("file", type=click.Path(path_type=Path), default=Path("/etc/lpad/lpad.yaml"))
def check_config(file: Path) -> None:
    """Check a settings file with its drop-ins and report every mistake with its line.

    Without mistakes, the exit code is 0, and each value is listed with the file and the line that it comes
    from; settings that are not listed have their defaults. A setting that may be right but does not fit this
    machine now, such as a missing port, is a note.
    """
    from lpad.daemon.platforms.operator_platforms import check_platforms  # noqa: PLC0415 - only this command
    from lpad.daemon.remote_servers import load_route, load_trust  # noqa: PLC0415 - serve loads it elsewhere
    from lpad.settings import SettingsFile  # noqa: PLC0415 - only this command needs it
    from lpad.settings.file import origins  # noqa: PLC0415 - only this command needs it
    from lpad.settings.machine_check import notes  # noqa: PLC0415 - only this command needs it

    found = SettingsFile.read(file)
    load_trust(found)
    for sentence in check_platforms(found, route=load_route(found)):
        click.echo(f"{file}: note: {sentence}", err=True)
    for note in notes(found):
        click.echo(f"{note.file or file}:{note.line}: note: {note}", err=True)
    for key, origin in origins(found):
        Output().line(f"{key}: {origin}")
    Output().line(f"{file} is valid")


def _tell(text: str) -> None:
    """Print the error that ended lpad; in the systemd journal, it has the priority of an error."""
    prefix = ""
    if "JOURNAL_STREAM" in os.environ:
        from lpad.daemon.log.journald import is_journal  # noqa: PLC0415 - only under systemd

        prefix = "<3>" if is_journal(sys.stderr) else ""
    click.echo("\n".join(prefix + line for line in text.split("\n")), err=True)


def main() -> None:
    """Run lpad."""
    try:
        cli.main(standalone_mode=False)
    except LpadError as error:
        _tell(f"{error.sentence} ({error.kind})")
        sys.exit(exit_codes.exit_code(error.kind))
    except (click.exceptions.Abort, KeyboardInterrupt):
        sys.exit(exit_codes.INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(exit_codes.USAGE)
    except OutputLostError as error:
        end_without_output(error)


if __name__ == "__main__":
    main()
