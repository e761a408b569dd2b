"""The problems that `lpactl status` reports in addition to the cards."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
import pytest
from msgspec.structs import replace

from api.gateway import Gateway
from cli.conftest import Terminal
from engine.guarding import REGISTERED, ended, guarded, guarding, port, stuck, told
from engine.lab import FIRST, FROM_DEFAULT_SMDP, SECOND, Lab, result_of
from lpad.base.backoff import Backoff
from lpad.base.server_address import ServerAddress
from lpad.engine.change.change import Kind
from lpad.engine.policy.network_policy import NetworkPolicy
from lpad.engine.unattended import rescue
from lpad.network.at_applier import AtApplier
from lpad.network.owner_hooks import Hooks
from lpad.network.owner_program_applier import CommandApplier
from lpad.simulator.modem.pdp_contexts import Subscription
from network.runner_bench import runner

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.engine.change.change import Json
    from lpad.simulator.pki.pki import Pki


def test_an_empty_card_that_nobody_has_a_profile_for(tmp_path: Path, pki: Pki) -> None:
    """Until an empty card has its profile, the status shows how often lpad asked, and when it asks next."""
    with Lab(tmp_path, pki) as lab:
        address = ServerAddress.parse(lab.server.address)
        lab.start(replace(lab.port, provisioning=FROM_DEFAULT_SMDP, default_smdp=address))
        with Gateway(lab) as gateway:
            lab.until(lab.engine.changes, lambda found: bool(found and found[0].state.ended))
            terminal = Terminal(lab, gateway.path)
            shown = terminal.lpactl("status").ok().err
            assert "lpad asked for a first profile 1 times; next at" in shown
            assert "'lpactl changes' shows why the card has none" in shown
            assert "requests for a first profile" in terminal.lpactl("info").ok().out


def test_a_switch_that_ended_stuck(tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a stuck switch, the status shows when the rescue's next attempt is; events report the rescue."""
    monkeypatch.setattr(rescue, "BACKOFF", Backoff((3600.0,)))
    with guarding(tmp_path, pki) as lab, Gateway(lab) as gateway:
        subscription = lab.engine.subscribe(lambda: None)

        def reported() -> list[Json]:
            return [event.data["rescue"] for event in subscription.take() if event.type == "rescue"]

        change = stuck(lab)
        terminal = Terminal(lab, gateway.path)
        shown = terminal.lpactl("status").ok().err
        assert f"change {change.id} failed (switch-stuck); lpad keeps trying to enable" in shown
        assert FIRST in shown
        assert "'lpactl enable PROFILE' with another profile ends the attempts" in shown
        (begun,) = reported()
        state = msgspec.convert(begun, rescue.RescueState)
        assert (state.change, state.wanted, state.attempts) == (change.id, (FIRST,), 0)
        due = re.search(r"the next at (.+?) UTC", shown)
        assert due is not None
        assert datetime.fromisoformat(f"{due[1]}+00:00").timestamp() == pytest.approx(state.next_at, abs=2)
        lab.card.faults.forget()
        assert lab.carry_out(Kind.ENABLE, iccid=SECOND).error is None
        lab.until_true(lambda: None in reported())
        subscription.close()


def test_the_failed_layer_of_the_last_switch(tmp_path: Path, pki: Pki) -> None:
    """Until a switch succeeds, a line names the failed layer with the network's cause."""
    rejecting = {SECOND: Subscription(emm_cause=11)}
    with guarding(tmp_path, pki, subscriptions=rejecting) as lab, Gateway(lab) as gateway:
        terminal = Terminal(lab, gateway.path)
        assert "failed layer" not in terminal.lpactl("status").ok().err
        change = guarded(lab, REGISTERED, within=600)
        told(lab, change, "EMM cause 11")
        lab.engine.cancel(change.id)  # This rolls the switch back immediately.
        lab.ended(change.id)
        line = (
            f"modem: the failed layer of the last switch (change {change.id}) is 'registered':"
            f" EMM cause 11, PLMN not allowed; 'lpactl changes {change.id}' shows it"
        )
        assert line in terminal.lpactl("status").ok().err.splitlines()
        lab.modem.subscribe(SECOND, Subscription())
        assert ended(lab, REGISTERED, within=60).error is None
        assert "failed layer" not in terminal.lpactl("status").ok().err


def test_a_hook_is_no_layer(tmp_path: Path, pki: Pki) -> None:
    """A hook that fails after a switch is named, and is not taken for a layer of the connection."""
    (tmp_path / "runner").mkdir()
    with runner(tmp_path / "runner") as serving, guarding(tmp_path, pki) as lab:
        serving.script(serving.hooks / "10-no", '[ "$LPAD_EVENT" != post-switch ]')
        lab.engine.become([replace(port(lab), network=NetworkPolicy(hooks=Hooks(serving.client)))])
        with Gateway(lab) as gateway:
            terminal = Terminal(lab, gateway.path)
            last = terminal.lpactl("enable", SECOND, "--no-guard").ok().out.splitlines()[-1]
            assert "; post-switch failed: 10-no failed with exit code 1" in last
            shown = terminal.lpactl("status").ok().err
            assert "modem: the hooks failed at 'post-switch' of the last switch (change" in shown
            assert "10-no failed with exit code 1" in shown
            assert "; 'lpactl changes " in shown
            assert "failed layer" not in shown


def test_a_hook_that_stops_a_switch(tmp_path: Path, pki: Pki) -> None:
    """If a hook stops a switch, the status names the hooks as the cause, not a layer of the connection."""
    (tmp_path / "runner").mkdir()
    with runner(tmp_path / "runner") as serving, guarding(tmp_path, pki) as lab:
        serving.script(serving.hooks / "10-no", "exit 1")
        lab.engine.become([replace(port(lab), network=NetworkPolicy(hooks=Hooks(serving.client)))])
        with Gateway(lab) as gateway:
            change = lab.carry_out(Kind.ENABLE, iccid=SECOND)
            shown = Terminal(lab, gateway.path).lpactl("status").ok().err
            assert f"modem: the hooks failed before the last switch (change {change.id}): cannot" in shown
            assert "failed layer" not in shown


def test_a_program_that_fails_is_no_layer(tmp_path: Path, pki: Pki) -> None:
    """If the applier `command` fails, the status names its program and step, and no layer."""
    (tmp_path / "runner").mkdir()
    with runner(tmp_path / "runner") as serving, guarding(tmp_path, pki) as lab:
        serving.script(serving.command, '[ "$LPAD_EVENT" != apply ]')
        lab.engine.become([replace(port(lab), network=NetworkPolicy(applier=CommandApplier(serving.client)))])
        with Gateway(lab) as gateway:
            change = lab.carry_out(Kind.ENABLE, iccid=SECOND, unguarded=True)
            assert result_of(change)["network"]["failures"][0]["layer"] == "command"
            shown = Terminal(lab, gateway.path).lpactl("status").ok().err
            assert (
                f"the network command failed at 'apply-network' of the last switch (change {change.id})"
                in shown
            )
            assert "failed layer" not in shown


def test_settings_of_a_deleted_profile(tmp_path: Path, pki: Pki) -> None:
    """The status reports the network settings of a deleted profile that the applier could not remove."""
    (tmp_path / "runner").mkdir()
    with runner(tmp_path / "runner") as serving, guarding(tmp_path, pki) as lab:
        serving.script(serving.command, "exit 1")
        lab.engine.become([replace(port(lab), network=NetworkPolicy(applier=CommandApplier(serving.client)))])
        with Gateway(lab) as gateway:
            terminal = Terminal(lab, gateway.path)
            assert "still to be removed" in terminal.lpactl("delete", SECOND, "--yes").ok().err
            line = (
                f"modem: the applier 'command' still has the network settings of the deleted profile {SECOND}"
            )
            assert line in terminal.lpactl("status").ok().err


def test_a_failed_layer_without_a_guard(tmp_path: Path, pki: Pki) -> None:
    """The status names the failed layer of the last switch even if the switch had no guard."""
    with guarding(tmp_path, pki, subscriptions={SECOND: Subscription(addresses=False)}) as lab:
        lab.engine.become([replace(port(lab), network=NetworkPolicy(applier=AtApplier()))])
        with Gateway(lab) as gateway:
            change = lab.carry_out(Kind.ENABLE, iccid=SECOND)
            shown = Terminal(lab, gateway.path).lpactl("status").ok().err.splitlines()
            assert (
                f"modem: the failed layer of the last switch (change {change.id}) is 'address';"
                f" 'lpactl changes {change.id}' shows it"
            ) in shown
