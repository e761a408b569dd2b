"""The bench as a pytest plugin: one place, the tests for its features, and their evidence.

For each place, `script/hil` starts `pytest -p hil.plugin --bench FILE --place NAME --evidence FOLDER`.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hil.bench_file.bench_file import BenchFile
from hil.bench_file.place_features import KNOWN
from hil.evidence.place_record import PlaceRecord, case_of
from hil.place.card_identity import WrongCard
from hil.place.place import PATIENCE, Place
from hil.place.place_states import PlaceBroken, Stand
from lpad.base.errors import LpadError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hil.orders.order import Order
    from hil.orders.own_smdp import OwnServer

WRONG_CARD = 3
"""Exit status: the EID was not the one in the bench file."""

_RECORD = pytest.StashKey[PlaceRecord]()
_FILE = pytest.StashKey[BenchFile]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the bench's options."""
    group = parser.getgroup("lpad bench")
    group.addoption("--bench", metavar="FILE", help="The bench file; required.")
    group.addoption(
        "--place", metavar="NAME", help="The place in the bench file that this pytest process uses."
    )
    group.addoption("--evidence", metavar="FOLDER", help="The folder for the evidence.")


def pytest_configure(config: pytest.Config) -> None:
    """Read the bench file and register the markers.

    Raises:
        UsageError: the bench file is missing or invalid.
    """
    config.addinivalue_line("markers", "needs(*features): runs at places with all these features")
    config.addinivalue_line(
        "markers", "endurance: the number of cycles in the bench file determines the duration"
    )
    bench, place, evidence = (config.getoption(name) for name in ("bench", "place", "evidence"))
    if not (bench and place and evidence):
        raise pytest.UsageError(
            "an option is missing: --bench FILE, --place NAME and --evidence FOLDER are required"
        )
    try:
        config.stash[_FILE] = BenchFile.read(Path(bench))
    except LpadError as error:
        raise pytest.UsageError(error.sentence) from error
    if place not in config.stash[_FILE].bench.places:
        raise pytest.UsageError(f"{bench} has no place '{place}'")
    config.stash[_RECORD] = PlaceRecord(place, Path(evidence))
    config.pluginmanager.register(_Listener(config.stash[_RECORD]))
    signal.signal(signal.SIGTERM, _interrupt)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests whose features the place lacks, and record the reason.

    Raises:
        UsageError: a test requires an unknown feature.
    """
    features = config.stash[_FILE].features(config.getoption("place"))
    left_out = []
    for item in items:
        needs = {str(feature) for marker in item.iter_markers("needs") for feature in marker.args}
        if unknown := needs - KNOWN:
            raise pytest.UsageError(f"{item.nodeid}: there is no feature {', '.join(unknown)}")
        if missing := sorted(needs - features):
            config.stash[_RECORD].left_out(case_of(item.nodeid), missing)
            left_out.append(item)
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


class _Listener:
    """Records the outcome of each test."""

    def __init__(self, record: PlaceRecord) -> None:
        self._record = record

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record the outcome of one phase of a test."""
        self._record.report(report)


@pytest.fixture(scope="session")
def place(pytestconfig: pytest.Config) -> Iterator[Place]:
    """The place; at the end, or after an interruption, its card is restored."""
    file, record = pytestconfig.stash[_FILE], pytestconfig.stash[_RECORD]
    with Place(file, pytestconfig.getoption("place"), evidence=record.folder) as made:
        try:
            yield made
        finally:
            _deaf()
            try:
                made.restore()
                made.clean()
            finally:
                record.finish(made)


@pytest.fixture(autouse=True)
def _known_card(place: Place) -> None:
    """Each test finds the right card ready, or is skipped because an earlier transition has failed."""
    try:
        place.strategy.to(Stand.KNOWN_CARD)
    except PlaceBroken as broken:
        pytest.skip(f"{place.name}: {broken}")  # with --complete, skips are failures
    except WrongCard as error:
        pytest.exit(error.sentence, returncode=WRONG_CARD)


@pytest.fixture
def lease(place: Place) -> Iterator[Callable[..., Order]]:
    """A function that leases an order or, if none is left, skips the test; unspent orders are given back."""
    leases: list[Order] = []

    def take(*, confirmation: bool = False, default: bool = False) -> Order:
        found = place.lease(confirmation=confirmation, default=default)
        if found is None:
            kind = ["code", "code with a confirmation code"][confirmation]
            # Orders are used up, and a bench continues with the remaining ones. With --complete, skips count
            # as failures.
            pytest.skip(f"no {'order at a default SM-DP+' if default else kind} is left in the pool")
        leases.append(found)
        return found

    yield take
    for each in leases:
        each.give_back()


@pytest.fixture
def installed(place: Place, lease: Callable[..., Order]) -> Iterator[str]:
    """The ICCID of a profile that was downloaded for this test and may be deleted."""
    order = lease()
    if not order.expendable:
        # The test is skipped, because its profile could not be deleted afterwards.
        pytest.skip("the code in the pool is not expendable, so the bench could not delete its profile again")
    change = place.client.download_leased(place.name, order, wait=PATIENCE).check()
    assert change.result is not None
    iccid = str(change.result["iccid"])
    yield iccid
    if place.strategy.stand is Stand.KNOWN_CARD:
        if place.enabled() == iccid:
            place.client.disable(place.name, iccid, accept_offline=True, wait=PATIENCE)
        place.client.delete(place.name, iccid, missing_ok=True, wait=PATIENCE)


@pytest.fixture
def pair(place: Place) -> tuple[str, str]:
    """The ICCIDs of two profiles to switch between; the first is enabled.

    Profiles that are already on the card come first, because switching uses up no codes. Missing profiles are
    downloaded once.
    """
    while True:
        profiles = [each for each in place.client.profiles(place.name) if not each.policy_rules]
        profiles.sort(key=lambda each: (each.state != "enabled", each.iccid))
        if len(profiles) >= 2:
            break
        order = place.lease()
        if order is None or not order.expendable:
            # The test is skipped, because the profile of a non-expendable order must not be deleted.
            pytest.skip("the case needs two profiles, and there is no expendable code for a download")
        place.client.download_leased(place.name, order, wait=PATIENCE).check()
    first, second = profiles[0].iccid, profiles[1].iccid
    place.enable(first).check()
    return first, second


@pytest.fixture
def server(place: Place) -> Iterator[OwnServer]:
    """The bench's own SM-DP+; its faults are removed after the test."""
    assert place.server is not None, "mark the test with needs('server')"
    yield place.server
    place.server.do_right()


def _interrupt(_number: int, _frame: object) -> None:
    """End the run on SIGTERM as on Ctrl-C, so that the card is restored."""
    raise KeyboardInterrupt


def _deaf() -> None:
    """Prevent interruptions while the card is restored; each step has a time limit."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
