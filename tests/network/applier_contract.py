"""The contract for all appliers; a subclass of `ApplierContract` tests one, with a fixture `bench`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from lpad.base.deadline import Deadline
from lpad.network.applier_interface import MOST_MEMORY, Applied, Connection, Failed, State, TryAgain, Wanted
from lpad.network.network_settings import Authentication, InitialBearer, IpType, NetworkSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.network.applier_interface import Applier, Modem, Outcome

EID = "89049032000000000000000000000123"
OLD = "8988211000000000001"
NEW = "8988211000000000002"
PASSWORD = "pa55-of-the-contract"
OLD_SETTINGS = NetworkSettings(apn="old.example")
NEW_SETTINGS = NetworkSettings(apn="new.example", ip=IpType.IPV4)
WITH_SECRET = NetworkSettings(
    apn="secret.example", username="user", password=PASSWORD, authentication=Authentication.CHAP
)
EVERYTHING = NetworkSettings(
    apn="all.example",
    username="user",
    password=PASSWORD,
    authentication=Authentication.PAP,
    ip=IpType.IPV6,
    roaming=False,
    initial_bearer=InitialBearer.APN,
    initial_bearer_apn="first.example",
    mtu=1400,
)


@dataclass(kw_only=True)
class Bench:
    """An applier, and access to the program or modem at its other end."""

    applier: Applier
    apn: Callable[[], str | None]
    """Returns the APN in force at the other end.

    Empty: the network's default. None: the applier does not control the APN.
    """
    modem: Modem | None = None
    disturb: Callable[[], None] | None = None
    """Makes the other end unreachable; None if that is impossible."""
    silence: Callable[[], None] | None = None
    """Makes the other end leave requests unanswered; None if that is impossible."""
    bearer_seen: State = State.UNKNOWN
    """The state of the bearer that `look` reports once settings are applied and connected."""

    def wanted(
        self, settings: NetworkSettings = NEW_SETTINGS, *, iccid: str = NEW, previous: str | None = OLD
    ) -> Wanted:
        return Wanted(eid=EID, iccid=iccid, settings=settings, previous_iccid=previous, modem=self.modem)

    def back(self) -> Wanted:
        """Return the old profile's settings for a rollback, with the new profile as the previous."""
        return self.wanted(OLD_SETTINGS, iccid=OLD, previous=NEW)


def soon() -> Deadline:
    """Return a deadline with enough time for steps that must succeed, even on a busy machine."""
    return Deadline.after(30)


def whole_way(applier: Applier, wanted: Wanted) -> dict[str, str]:
    """Take the steps prepare, apply and connect, and return the data that `prepare` gives for the journal."""
    before = applier.prepare(wanted, deadline=soon())
    assert isinstance(before, Applied), before
    for step in (applier.apply, applier.connect):
        outcome = step(wanted, deadline=soon())
        assert isinstance(outcome, Applied), outcome
    return dict(before.memory)


class ApplierContract:
    """The tests that each applier must pass; a subclass provides the applier with the fixture `bench`."""

    @pytest.fixture
    def bench(self) -> Bench:
        raise NotImplementedError

    def test_has_its_name_of_the_settings(self, bench: Bench) -> None:
        """An applier's name is one that the settings allow."""
        assert bench.applier.name in {"none", "networkmanager", "modemmanager", "at", "command"}

    @pytest.mark.parametrize(
        "settings", [NEW_SETTINGS, NetworkSettings(), WITH_SECRET, EVERYTHING], ids=lambda each: each.apn
    )
    def test_brings_settings_into_force(self, bench: Bench, settings: NetworkSettings) -> None:
        """After prepare, apply and connect, the other end uses the profile's APN, even if it is empty."""
        wanted = bench.wanted(settings)
        whole_way(bench.applier, wanted)
        assert bench.apn() in (settings.apn, None)
        assert isinstance(bench.applier.verify(wanted, deadline=soon()), Applied)

    def test_may_be_asked_again_at_each_step(self, bench: Bench) -> None:
        """The steps prepare, apply and connect may be repeated, as after a power cut, and succeed again."""
        wanted = bench.wanted()
        for step in (bench.applier.prepare, bench.applier.apply, bench.applier.connect):
            for _ in range(2):
                assert isinstance(step(wanted, deadline=soon()), Applied)
        assert bench.apn() in (NEW_SETTINGS.apn, None)

    def test_applies_without_having_prepared(self, bench: Bench) -> None:
        """The step `apply` succeeds without `prepare`, as after a restart or in a rollback."""
        wanted = bench.wanted()
        assert isinstance(bench.applier.apply(wanted, deadline=soon()), Applied)
        assert isinstance(bench.applier.connect(wanted, deadline=soon()), Applied)
        assert bench.apn() in (NEW_SETTINGS.apn, None)

    def test_verifies_the_settings_in_force_only(self, bench: Bench) -> None:
        """While another profile's settings are in force, `verify` reports this, and changes nothing."""
        whole_way(bench.applier, bench.wanted(OLD_SETTINGS, iccid=OLD, previous=None))
        found = bench.applier.verify(bench.wanted(), deadline=soon())
        assert bench.apn() is None or not isinstance(found, Applied)
        assert bench.apn() in (OLD_SETTINGS.apn, None)

    def test_goes_back_to_the_previous_settings(self, bench: Bench) -> None:
        """After undo, apply and connect with the old settings, the old APN is in force again."""
        whole_way(bench.applier, bench.wanted(OLD_SETTINGS, iccid=OLD, previous=None))
        wanted = bench.wanted()
        memory = whole_way(bench.applier, wanted)
        assert isinstance(bench.applier.undo(wanted, memory, deadline=soon()), Applied)
        for step in (bench.applier.apply, bench.applier.connect):
            assert isinstance(step(bench.back(), deadline=soon()), Applied)
        assert bench.apn() in (OLD_SETTINGS.apn, None)
        assert isinstance(bench.applier.verify(bench.back(), deadline=soon()), Applied)

    def test_goes_back_from_each_step(self, bench: Bench) -> None:
        """A switch cut off after any step can be rolled back, with or without stored data."""
        applier = bench.applier
        wanted = bench.wanted()
        for steps in range(4):
            for remembered in (True, False):
                whole_way(applier, bench.wanted(OLD_SETTINGS, iccid=OLD, previous=None))
                memory: dict[str, str] = {}
                for step in (applier.prepare, applier.apply, applier.connect)[:steps]:
                    outcome = step(wanted, deadline=soon())
                    assert isinstance(outcome, Applied)
                    memory.update(outcome.memory)
                for _ in range(2):
                    undone = applier.undo(wanted, memory if remembered else {}, deadline=soon())
                    assert isinstance(undone, Applied), undone
                for step in (applier.apply, applier.connect):
                    assert isinstance(step(bench.back(), deadline=soon()), Applied)
                assert bench.apn() in (OLD_SETTINGS.apn, None)

    def test_remembers_little_and_no_secret(self, bench: Bench) -> None:
        """The data that an applier gives for the journal are short texts without a password."""
        whole_way(bench.applier, bench.wanted(WITH_SECRET, iccid=OLD, previous=None))
        memory = whole_way(bench.applier, bench.wanted())
        assert all(isinstance(each, str) for pair in memory.items() for each in pair)
        assert sum(len(name) + len(value) for name, value in memory.items()) <= MOST_MEMORY
        assert PASSWORD not in str(memory)

    def test_tells_no_secret(self, bench: Bench) -> None:
        """No outcome contains the password, and no outcome's text contains a whole ICCID."""
        wanted = bench.wanted(WITH_SECRET)
        outcomes: list[Outcome] = [
            step(wanted, deadline=soon())
            for step in (
                bench.applier.prepare,
                bench.applier.apply,
                bench.applier.connect,
                bench.applier.verify,
            )
        ]
        outcomes.append(bench.applier.undo(wanted, {}, deadline=soon()))
        assert PASSWORD not in repr((outcomes, wanted))
        assert not any(NEW in each.told or OLD in each.told for each in outcomes)

    def test_forgets_a_deleted_profile(self, bench: Bench) -> None:
        """An applier deletes a profile's data; doing this twice, or without data, is not a failure."""
        whole_way(bench.applier, bench.wanted())
        for iccid in (NEW, NEW, "8988211000000000009"):
            assert isinstance(bench.applier.forget(iccid, deadline=soon()), Applied)

    def test_sees_only_what_it_can(self, bench: Bench) -> None:
        """`look` reports the bearer's state, and no addresses if the bearer is down."""
        whole_way(bench.applier, bench.wanted())
        seen = bench.applier.look(bench.wanted(), deadline=soon())
        assert isinstance(seen, Connection)
        assert seen.bearer.state is bench.bearer_seen
        assert not (seen.addresses and seen.bearer.state is State.DOWN)

    def test_fails_as_an_outcome_if_the_other_end_is_away(self, bench: Bench) -> None:
        """If the other end is unreachable, the outcome has a layer and a sentence; no exception is raised."""
        if bench.disturb is None:
            return
        bench.disturb()
        applier, wanted = bench.applier, bench.wanted()
        outcomes = [
            step(wanted, deadline=Deadline.after(2))
            for step in (applier.prepare, applier.apply, applier.connect, applier.verify)
        ]
        outcomes.append(applier.undo(wanted, {}, deadline=Deadline.after(2)))
        assert any(isinstance(each, Failed | TryAgain) for each in outcomes), outcomes
        assert all(each.told for each in outcomes)
        assert applier.look(wanted, deadline=Deadline.after(2)).bearer.state is not State.UP

    def test_heeds_a_deadline_that_has_passed(self, bench: Bench) -> None:
        """With a deadline that has passed, no step waits or raises an exception."""
        applier, wanted, over = bench.applier, bench.wanted(), Deadline(0.0)
        for step in (applier.prepare, applier.apply, applier.connect, applier.verify):
            assert isinstance(step(wanted, deadline=over), Applied | Failed | TryAgain)
        assert isinstance(applier.undo(wanted, {}, deadline=over), Applied | Failed | TryAgain)
        assert isinstance(applier.look(wanted, deadline=over), Connection)

    def test_gives_up_on_a_mute_other_end(self, bench: Bench) -> None:
        """If the other end never answers, `apply` ends at its deadline without success."""
        if bench.silence is None:
            return
        bench.silence()
        outcome = bench.applier.apply(bench.wanted(), deadline=Deadline.after(0.5))
        assert isinstance(outcome, Failed | TryAgain)
