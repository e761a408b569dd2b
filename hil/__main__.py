"""Run the bench: one pytest process for each place of a bench file, and one folder of evidence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hil.bench_file.bench_file import BenchFile
from hil.evidence.place_record import PROGRESS
from hil.evidence.run_folder import RunFolder
from hil.new_bench_file import write_bench
from hil.place.card_identity import WrongCard, check_eid, probe
from hil.place.place_claim import Claim
from hil.place.power_switch import power_switch
from hil.plugin import WRONG_CARD
from lpad.base.errors import CardUnreachable, InvalidSettings, LpadError
from lpad.base.identifiers import Eid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[1]
CASES = ROOT / "hil" / "cases"
_INTERRUPTED = 130
_FAILED = 1
_WRONG = 2


@click.command()
@click.option(
    "--bench", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The bench file."
)
@click.option(
    "--new",
    metavar="READER|PORT",
    help="Write a bench file for the card in this reader or at this port, and exit.",
)
@click.option("--place", "only", multiple=True, metavar="NAME", help="Use only this place; may be repeated.")
@click.option(
    "-k", "chosen", metavar="EXPRESSION", help="Run only the cases that match this pytest expression."
)
@click.option("--endurance/--no-endurance", default=True, help="Run the endurance cases, or leave them out.")
@click.option("--restore", is_flag=True, help="Only restore the cards, after an interrupted run.")
@click.option(
    "--complete", is_flag=True, help="Fail the run if a case is skipped, for example because no code is left."
)
def main(
    *,
    bench: Path,
    new: str | None,
    only: tuple[str, ...],
    chosen: str | None,
    endurance: bool,
    restore: bool,
    complete: bool,
) -> None:
    """Test real cards, modems and readers with lpad; see hil/README.md."""
    try:
        if new is not None:
            write_bench(bench, new)
            click.echo(f"{bench} is written. Check it, then run: script/hil --bench {bench}")
            return
        file = BenchFile.read(bench)
        names = _chosen(file, only)
        claims = {name: Claim(file.resolve(file.bench.state) / name, place=name) for name in names}
        _know_cards(file, names)
    except WrongCard as error:
        click.echo(f"hil: {error.sentence}", err=True)
        sys.exit(WRONG_CARD)
    except LpadError as error:
        click.echo(f"hil: {error.sentence}", err=True)
        sys.exit(_WRONG)
    selection = ["-k", "restore_only" if restore else chosen] if restore or chosen else []
    selection += [] if endurance else ["-m", "not endurance"]
    run = RunFolder.new(file.resolve(file.bench.runs), datetime.now(UTC))
    places = _Places(file, run, claims=claims)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: places.interrupt())
    statuses = places.run(names, [word for word in selection if word is not None])
    found = run.finish()
    click.echo(f"\n{found.summary}\n{run.path / 'report.html'}")
    status = _status(statuses, interrupted=places.interrupted)
    sys.exit(_FAILED if status == 0 and complete and found.skipped else status)


class _Places:
    """The pytest processes of a run; a signal to the bench reaches each process once."""

    def __init__(self, file: BenchFile, run: RunFolder, *, claims: Mapping[str, Claim]) -> None:
        self._claims = claims
        self._file = file
        self._run = run
        self._processes: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()
        self._progress = os.dup(sys.stderr.fileno())
        self.interrupted = False

    def run(self, names: Sequence[str], selection: Sequence[str]) -> dict[str, int]:
        """Run all pytest processes and return their exit statuses."""
        with ThreadPoolExecutor(len(names)) as threads:
            futures = {name: threads.submit(self._place, name, selection) for name in names}
            # The main thread only waits here, so that it can handle signals.
            return {name: future.result() for name, future in futures.items()}

    def interrupt(self) -> None:
        """Interrupt each pytest process, which then restores its card and ends."""
        self.interrupted = True
        with self._lock:
            for process in self._processes:
                with suppress(ProcessLookupError):
                    process.send_signal(signal.SIGINT)

    def _place(self, name: str, selection: Sequence[str]) -> int:
        status = self._pytest(name, selection)
        if status < 0:  # pytest was killed before it could restore the card
            self._pytest(name, ["-k", "restore_only"], again=True)
        return status

    def _pytest(self, name: str, selection: Sequence[str], *, again: bool = False) -> int:
        folder = self._run.place(name)
        command = [
            *(sys.executable, "-m", "pytest", "-q", "-p", "hil.plugin", "-p", "no:cacheprovider"),
            # A developer's environment has schemathesis, whose import takes half a second of processor time.
            *("-p", "no:schemathesis"),
            *("--bench", os.fspath(self._file.path), "--place", name, "--evidence", os.fspath(folder)),
            *("-o", f"junit_suite_name={name}", "-o", "timeout=0", *selection, os.fspath(CASES)),
        ]
        if not again:
            command.append(f"--junitxml={folder / 'junit.xml'}")
        with (folder / "private" / "pytest.log").open("ab") as log:
            with self._lock:
                if self.interrupted:
                    return _INTERRUPTED
                process = subprocess.Popen(  # noqa: S603 - our own program
                    command,
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=os.environ | {PROGRESS: str(self._progress)},
                    pass_fds=(self._progress, self._claims[name].fileno()),
                    start_new_session=True,  # Ctrl-C goes to the bench, which passes it on once
                )
                self._processes.append(process)
            return process.wait()


def _chosen(file: BenchFile, only: tuple[str, ...]) -> list[str]:
    for name in only:
        if name not in file.bench.places:
            raise InvalidSettings(
                f"{file.path} has no place '{name}'; its places: {', '.join(file.bench.places)}"
            )
    return list(only or file.bench.places)


def _know_cards(file: BenchFile, names: Sequence[str]) -> None:
    """Power the places, and check that no place has a wrong card; the tests report unreachable cards.

    Raises:
        WrongCard: a place has a wrong card.
    """

    def look(name: str) -> None:
        section = file.bench.places[name]
        with suppress(CardUnreachable):
            if section.power is not None:
                power_switch(section.power).on()
            report = probe(section, within=section.power.up_within if section.power is not None else 0.0)
            check_eid(name, str(Eid.parse(section.eid)), report.get("eid"))

    with ThreadPoolExecutor(len(names)) as threads:
        for _ in threads.map(look, names):
            pass


def _status(statuses: dict[str, int], *, interrupted: bool) -> int:
    if interrupted:
        return _INTERRUPTED
    if WRONG_CARD in statuses.values():
        return WRONG_CARD
    return 0 if all(status == 0 for status in statuses.values()) else _FAILED


if __name__ == "__main__":
    main()
