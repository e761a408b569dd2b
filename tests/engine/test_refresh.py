"""After a switch: modems that notice late or never, cards that refuse or are busy, ports that disappear."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest

from card.link_contract import soon
from engine.lab import FIRST, SECOND, Lab, result_of
from lpa.bench import Contacts
from lpad.base.identifiers import Iccid
from lpad.card import modem_power
from lpad.card.at.at_link import open_at_link
from lpad.card.channel.logical_channel import TERMINAL_CAPABILITY, RawLink
from lpad.card.isdr.isdr import isdr_session
from lpad.card.link.remembered_links import LinkMemory
from lpad.engine.change.change import Kind, State
from lpad.engine.running.card.card_with_open_link import CardPort
from lpad.engine.switch import card_request_retry
from lpad.lpa.euicc import Euicc
from lpad.simulator.euicc.chip.behaviour import CardBehaviour
from lpad.simulator.modem.personality import Handles, ModemPersonality, Notices
from lpad.simulator.personalities import find_personality

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.engine.change.change import Change
    from lpad.simulator.pki.pki import Pki

WAIT: dict[str, Any] = {"step": "wait", "seconds": 0.3}
SIM: dict[str, Any] = {
    "step": "sim-power-cycle",
    "down": ["AT#SIMDET=0"],
    "up": ["AT#SIMDET=2"],
    "seconds": 1,
}
RADIO: dict[str, Any] = {"step": "radio-cycle", "down": ["AT+CFUN=0"], "up": ["AT+CFUN=1"], "seconds": 1}
RESET: dict[str, Any] = {"step": "modem-reset", "up": ["AT+CFUN=1,1"], "seconds": 5, "port_goes": True}
LADDER = [WAIT, SIM, RADIO, RESET]


@contextmanager
def bench(
    folder: Path,
    pki: Pki,
    *,
    behaviour: CardBehaviour | None = None,
    refresh: bool | None = None,
    quirks: dict[str, Any] | None = None,
    **habits: Any,
) -> Iterator[Lab]:
    """Yield a lab whose modem has the given habits, and whose quirks have the refresh ladder LADDER."""
    with Lab(folder, pki, behaviour=behaviour, personality=ModemPersonality(**habits)) as lab:
        memory = LinkMemory(folder / "links")
        overrides = {"refresh_ladder": LADDER} | (quirks or {})
        path = str(folder / "tty")
        lab.start(
            CardPort(
                name="modem",
                transport="AT",
                open_link=lambda _deadline: open_at_link(path, memory=memory, overrides=overrides),
                refresh=refresh,
            )
        )
        yield lab


def both(lab: Lab) -> None:
    """Install two profiles and enable the first, which the modem reads from then on."""
    lab.install()
    lab.install(iccid=SECOND, name="Second")
    change = lab.carry_out(Kind.ENABLE, iccid=FIRST)
    assert change.error is None, change.error
    lab.modem.received.clear()


def steps(change: Change) -> list[str]:
    return [step.name for step in change.steps]


def power(lab: Lab) -> list[str]:
    """Return the modem's received commands that switch the power of the radio or the SIM on or off."""
    return [line for line in lab.modem.received if line.startswith(("AT+CFUN", "AT#SIMDET"))]


SWITCHED = ["ask-modem", "read-profiles", "enable-profile", "verify"]


@pytest.mark.parametrize(
    ("name", "rungs"),
    [
        ("well-mannered", []),
        ("notices-a-refresh", []),
        ("notices-sim-power", ["sim-power-cycle"]),
        ("notices-radio-power", ["sim-power-cycle", "radio-cycle"]),
        ("notices-a-reset", ["sim-power-cycle", "radio-cycle", "modem-reset"]),
    ],
)
def test_a_modem_that_keeps_the_old_state_is_helped_step_by_step(
    tmp_path: Path, pki: Pki, name: str, rungs: list[str]
) -> None:
    """Lpad takes the ladder's steps only until the modem reads the new ICCID (lpac#450, openpilot#35279)."""
    habits = {
        each.name: getattr(find_personality(name).modem, each.name) for each in fields(ModemPersonality)
    }
    with bench(tmp_path, pki, **habits) as lab:
        both(lab)
        change = lab.carry_out(Kind.ENABLE, iccid=SECOND)
        assert change.error is None, change.error
        assert steps(change) == SWITCHED + rungs
        assert lab.modem.powered


def test_a_modem_that_does_not_know_its_familys_reset_is_reset_nevertheless(tmp_path: Path, pki: Pki) -> None:
    """If the modem refuses the family's reset command, lpad sends the command given instead in the quirks."""
    reset = {**RESET, "up": ["AT!RESET"], "instead": ["AT+CFUN=1,1"]}
    quirks = {"refresh_ladder": [WAIT, reset]}
    with bench(tmp_path, pki, quirks=quirks, notices=Notices.RESET, away_after_reset=0.5) as lab:
        lab.install()
        change = lab.carry_out(Kind.ENABLE, iccid=FIRST)
        assert change.error is None, change.error
        assert steps(change) == [*SWITCHED, "modem-reset"]
        assert [line for line in lab.modem.received if line in {"AT!RESET", "AT+CFUN=1,1"}] == [
            "AT!RESET",
            "AT+CFUN=1,1",
        ]


def test_a_modem_that_never_notices_fails_the_change_and_stays_powered(tmp_path: Path, pki: Pki) -> None:
    """If the modem still reads the previous profile, a switch fails (openpilot#35279, openpilot#35324)."""
    with bench(tmp_path, pki, notices=Notices.NEVER) as lab:
        lab.install()
        change = lab.carry_out(Kind.ENABLE, iccid=FIRST)
        assert change.state is State.FAILED
        assert change.error is not None
        assert "modem still reads another" in change.error.sentence
        assert change.error.retryable
        assert lab.modem.powered


@pytest.mark.parametrize("kind", [Kind.ENABLE, Kind.DISABLE])
def test_a_modem_that_is_behind_is_helped_if_nothing_is_to_be_switched(
    tmp_path: Path, pki: Pki, kind: Kind
) -> None:
    """If the card has switched but the modem has not, a repeated request refreshes the modem."""
    with bench(tmp_path, pki, notices=Notices.RADIO_CYCLE) as lab:
        both(lab)
        lab.stop()
        contacts = Contacts(lab.card)
        link = RawLink(contacts, device=contacts, terminal_capability=TERMINAL_CAPABILITY)
        with isdr_session(link, deadline=soon()) as isdr:
            if kind is Kind.ENABLE:
                Euicc(isdr).enable_profile(Iccid.parse(SECOND), refresh=False, deadline=soon())
            else:
                Euicc(isdr).disable_profile(Iccid.parse(FIRST), refresh=False, deadline=soon())
        wanted = SECOND if kind is Kind.ENABLE else FIRST
        change = lab.carry_out(kind, iccid=wanted)
        assert change.error is None, change.error
        assert result_of(change) == {"iccid": wanted, "already": True}
        assert steps(change) == ["ask-modem", "read-profiles", "verify", "sim-power-cycle", "radio-cycle"]
        again = lab.carry_out(kind, iccid=wanted)
        assert steps(again) == ["ask-modem", "read-profiles"], "the modem still reads the wrong profile"


def test_a_modem_that_reads_what_is_enabled_already_is_left_alone(tmp_path: Path, pki: Pki) -> None:
    """To enable the already enabled profile, lpad only queries the modem and reads the profiles."""
    with bench(tmp_path, pki) as lab:
        both(lab)
        change = lab.carry_out(Kind.ENABLE, iccid=FIRST)
        assert result_of(change) == {"iccid": FIRST, "already": True}
        assert steps(change) == ["ask-modem", "read-profiles"]
        assert power(lab) == []


def test_a_modem_that_notices_without_refresh_is_left_alone(tmp_path: Path, pki: Pki) -> None:
    """With refresh flag 0 in the quirks, a switch succeeds without a power cycle (agnos-builder#556)."""
    with bench(tmp_path, pki, quirks={"refresh_flag": False}, away_after_refresh=60.0) as lab:
        both(lab)
        change = lab.carry_out(Kind.ENABLE, iccid=SECOND)
        assert change.error is None
        assert power(lab) == []


def test_the_settings_beat_the_quirks(tmp_path: Path, pki: Pki) -> None:
    """With `refresh: true` in the settings, lpad asks for a REFRESH even if the modem's quirks do not."""
    with bench(tmp_path, pki, refresh=True, quirks={"refresh_flag": False}, notices=Notices.REFRESH) as lab:
        both(lab)
        assert steps(lab.carry_out(Kind.ENABLE, iccid=SECOND)) == SWITCHED


@pytest.mark.parametrize("commands", [("+CCID",), ("+CRSM",), ("+QCCID", "+CRSM")])
def test_an_iccid_with_its_padding_is_the_same_iccid(
    tmp_path: Path, pki: Pki, commands: tuple[str, ...]
) -> None:
    """The switch is recognised even if the modem adds an F or swaps nibbles (openpilot#38021)."""
    with bench(tmp_path, pki, iccid_commands=commands, iccid_padded=True) as lab:
        both(lab)
        assert steps(lab.carry_out(Kind.ENABLE, iccid=SECOND)) == SWITCHED


@pytest.mark.parametrize("commands", [("+CCID",), ("+CRSM",)])
def test_a_profile_with_an_18_digit_iccid_is_switched_to(
    tmp_path: Path, pki: Pki, commands: tuple[str, ...]
) -> None:
    """An 18-digit ICCID is sent as 10 bytes and recognised (luci-app-5gmodem#30, lpac#457)."""
    with bench(tmp_path, pki, iccid_commands=commands, iccid_padded=True) as lab:
        iccid = lab.install(iccid="890490320012345678")
        assert iccid == "890490320012345678"
        change = lab.carry_out(Kind.ENABLE, iccid=iccid)
        assert change.error is None, change.error
        assert steps(change) == SWITCHED
        assert str(lab.card.enabled_iccid) == iccid


def test_a_modem_that_reports_no_iccid_is_not_restarted(
    tmp_path: Path, pki: Pki, caplog: pytest.LogCaptureFixture
) -> None:
    """A modem that reports no ICCID is not restarted: the card's report counts, as the log states."""
    caplog.set_level("INFO")
    with bench(tmp_path, pki, iccid_commands=()) as lab:
        both(lab)
        change = lab.carry_out(Kind.ENABLE, iccid=SECOND)
        assert change.error is None
        assert power(lab) == []
    assert "the modem does not report" in caplog.text


def test_a_card_whose_refresh_is_not_carried_out(tmp_path: Path, pki: Pki) -> None:
    """If the modem ignores the REFRESH of a switch, its SIM is power-cycled (Iapyx onomondo-ipa#3)."""
    waits = CardBehaviour(switch_waits_for_refresh=True, profiles_hidden_during_switch=True)
    with bench(tmp_path, pki, behaviour=waits, fetches_proactive=False) as lab:
        lab.install()
        change = lab.carry_out(Kind.ENABLE, iccid=FIRST)
        assert change.error is None, change.error
        assert steps(change) == [*SWITCHED, "sim-power-cycle"]
        assert str(lab.card.enabled_iccid) == FIRST


def test_an_answer_that_was_lost_with_nothing_done_restarts_nothing(tmp_path: Path, pki: Pki) -> None:
    """If a card answers 6F00 to a switch and is unchanged, the change fails, and no power is cycled."""
    with bench(tmp_path, pki) as lab:
        both(lab)
        lab.card.faults.status(0xBF31, 0x6F00)
        change = lab.carry_out(Kind.ENABLE, iccid=SECOND)
        assert change.state is State.FAILED, steps(change)
        assert power(lab) == []


def test_nothing_read_before_a_switch_is_used_after_it(tmp_path: Path, pki: Pki) -> None:
    """Old channels show the old state, so the check after a switch opens a new one (mdd-sim-gateway#3)."""
    with bench(tmp_path, pki, handles=Handles.NUMBER) as lab:
        both(lab)
        assert lab.carry_out(Kind.ENABLE, iccid=SECOND).error is None
        received = [line.partition("=")[0] for line in lab.modem.received]
        # One session to switch and one to check; a third may have removed delivered notifications.
        assert received.count("AT+CCHO") >= 2
        lab.until_true(lambda: lab.modem.open_channels == ())


@pytest.mark.parametrize("handles", [None, Handles.NUMBER])
def test_a_channel_that_is_the_modems_by_now_is_not_closed(
    tmp_path: Path, pki: Pki, handles: Handles | None
) -> None:
    """Lpad does not close channels that the modem's own applications use after a REFRESH."""
    habits: dict[str, Any] = {"handles": handles, "channels_after_refresh": 2}
    with bench(tmp_path, pki, notices=Notices.REFRESH, **habits) as lab:
        lab.install()
        assert lab.carry_out(Kind.ENABLE, iccid=FIRST).error is None
        lab.stop()
        assert lab.modem.own_channels == (1, 2)
        assert lab.modem.open_channels == ()


def test_a_disabled_profile_is_read_no_more(tmp_path: Path, pki: Pki) -> None:
    """If a modem still reads a disabled profile, lpad refreshes the modem."""
    with bench(tmp_path, pki, notices=Notices.RADIO_CYCLE) as lab:
        both(lab)
        change = lab.carry_out(Kind.DISABLE, iccid=FIRST)
        assert change.error is None, change.error
        assert steps(change)[-2:] == ["sim-power-cycle", "radio-cycle"]


def test_a_reset_is_noticed_too(tmp_path: Path, pki: Pki) -> None:
    """A modem that still reads a profile deleted by a memory reset is refreshed."""
    with bench(tmp_path, pki, notices=Notices.SIM_POWER_CYCLE) as lab:
        both(lab)
        change = lab.carry_out(Kind.RESET, operational_profiles=True, test_profiles=False, default_smdp=False)
        assert change.error is None, change.error
        assert steps(change)[-1] == "sim-power-cycle"


def test_a_port_that_goes_after_the_refresh_and_comes_back_elsewhere(tmp_path: Path, pki: Pki) -> None:
    """If the modem's port is missing for a while after a switch, lpad takes no step of the ladder."""
    with bench(tmp_path, pki, away_after_refresh=1.5, comes_back_elsewhere=True) as lab:
        both(lab)
        change = lab.carry_out(Kind.ENABLE, iccid=SECOND)
        assert change.error is None, change.error
        assert steps(change) == SWITCHED


def test_a_sim_that_is_busy_at_first_is_waited_for(tmp_path: Path, pki: Pki) -> None:
    """Lpad waits for a busy SIM instead of taking it for another profile."""
    with bench(tmp_path, pki, busy=3) as lab:
        both(lab)
        assert steps(lab.carry_out(Kind.ENABLE, iccid=SECOND)) == SWITCHED


def test_a_modems_commands_after_a_switch_are_sent(tmp_path: Path, pki: Pki) -> None:
    """After a switch lpad sends the commands of the quirks, and waits if they reset the modem (VoCat#110)."""
    wanted = ['AT+QMBNCFG="Select","ROW_Generic_3GPP"', "AT+CFUN=1,1"]
    with bench(tmp_path, pki, quirks={"after_switch": wanted}, away_after_reset=0.5) as lab:
        both(lab)
        change = lab.carry_out(Kind.ENABLE, iccid=SECOND)
        assert change.error is None, change.error
        assert steps(change) == [*SWITCHED, "after-switch"]
        assert [line for line in lab.modem.received if line in wanted] == wanted


def test_the_radio_is_on_in_the_end_whatever_the_modem_answers(tmp_path: Path, pki: Pki) -> None:
    """Even if the modem vanishes at AT+CFUN=0, the radio is on when the change ends (VoCat#82)."""
    with bench(tmp_path, pki, notices=Notices.RADIO_CYCLE, quirks={"refresh_ladder": [WAIT, RADIO]}) as lab:
        both(lab)
        lab.modem.once("AT+CFUN=0", vanish=True)
        change = lab.submit(Kind.ENABLE, iccid=SECOND)
        lab.until_true(lambda: bool(power(lab)))
        lab.modem.come_back()
        ended = lab.ended(change.id)
        assert ended.error is None, ended.error
        assert lab.modem.powered


@pytest.mark.parametrize("refusal", ["ERROR", "+CME ERROR: 14", "+CME ERROR: 13"])
def test_a_refused_power_up_is_repeated(tmp_path: Path, pki: Pki, refusal: str) -> None:
    """A refused AT+CFUN=1 is repeated as long as the modem reports its radio as off."""
    with bench(tmp_path, pki, notices=Notices.RADIO_CYCLE, quirks={"refresh_ladder": [WAIT, RADIO]}) as lab:
        both(lab)
        for _ in range(2):
            lab.modem.once("AT+CFUN=1", instead=(refusal,), executed=False)
        change = lab.carry_out(Kind.ENABLE, iccid=SECOND)
        assert change.error is None, change.error
        assert lab.modem.powered
        assert power(lab) == ["AT+CFUN=0", *["AT+CFUN=1", "AT+CFUN?"] * 2, "AT+CFUN=1"]
        assert list((tmp_path / "links").glob("*.down")) == []


def test_a_modem_that_refuses_a_level_that_it_has_is_believed(tmp_path: Path, pki: Pki) -> None:
    """If the modem answers ERROR to AT+CFUN=1 but reports the radio as on, the command is not repeated."""
    with bench(tmp_path, pki, notices=Notices.RADIO_CYCLE, quirks={"refresh_ladder": [WAIT, RADIO]}) as lab:
        both(lab)
        lab.modem.once("AT+CFUN=1", instead=("ERROR",))
        change = lab.carry_out(Kind.ENABLE, iccid=SECOND)
        assert change.error is None, change.error
        assert power(lab) == ["AT+CFUN=0", "AT+CFUN=1", "AT+CFUN?"]
        assert list((tmp_path / "links").glob("*.down")) == []


@pytest.mark.parametrize("answer", [("ERROR",), ("+CFUN: ?", "OK"), ("OK",)])
def test_the_card_stays_usable_if_the_radios_state_is_unknown(
    tmp_path: Path, pki: Pki, answer: tuple[str, ...]
) -> None:
    """If the radio's state is unknown, the next session repeats AT+CFUN=1, and no change fails."""
    with bench(tmp_path, pki, notices=Notices.RADIO_CYCLE, quirks={"refresh_ladder": [WAIT, RADIO]}) as lab:
        both(lab)
        lab.modem.once("AT+CFUN=1", instead=("ERROR",))
        lab.modem.once("AT+CFUN?", instead=answer, executed=False)
        change = lab.carry_out(Kind.ENABLE, iccid=SECOND)
        assert change.error is None, change.error
        assert power(lab) == ["AT+CFUN=0", "AT+CFUN=1", "AT+CFUN?", "AT+CFUN=1"]
        assert list((tmp_path / "links").glob("*.down")) == []


def test_a_radio_that_stays_off_is_reset_by_the_next_step(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the modem keeps refusing to switch its radio on, the ladder's next step resets the modem."""
    monkeypatch.setattr(modem_power, "_BRINGING_UP", 0.5)
    refused = {**RADIO, "up": ["AT+CFUN=1,0"]}
    with bench(
        tmp_path, pki, notices=Notices.RADIO_CYCLE, quirks={"refresh_ladder": [WAIT, refused, RESET]}
    ) as lab:
        both(lab)
        change = lab.carry_out(Kind.ENABLE, iccid=SECOND)
        assert change.error is None, change.error
        asked = ["AT+CFUN=1,0", "AT+CFUN?"]
        assert power(lab)[:5] == ["AT+CFUN=0", *asked, *asked]
        assert power(lab)[-3:] == ["AT+CFUN=1,1", *asked]
        assert lab.modem.powered
        assert list((tmp_path / "links").glob("*.down")) == []


def test_a_refused_power_down_owes_no_power_up(tmp_path: Path, pki: Pki) -> None:
    """If a modem refuses to power its SIM down, lpad sends the power-up command only once."""
    unknown = {**SIM, "down": ["AT#NONE=0"], "up": ["AT#NONE=1"]}
    with bench(
        tmp_path, pki, notices=Notices.RADIO_CYCLE, quirks={"refresh_ladder": [unknown, RADIO]}
    ) as lab:
        both(lab)
        change = lab.carry_out(Kind.ENABLE, iccid=SECOND)
        assert change.error is None, change.error
        assert sum(line == "AT#NONE=1" for line in lab.modem.received) == 1
        assert list((tmp_path / "links").glob("*.down")) == []


def test_a_cancelled_change_ends_with_the_radio_on(tmp_path: Path, pki: Pki) -> None:
    """A change that is cancelled between AT+CFUN=0 and =1 ends with the radio on (VoCat#82)."""
    with bench(tmp_path, pki, notices=Notices.RADIO_CYCLE, quirks={"refresh_ladder": [WAIT, RADIO]}) as lab:
        both(lab)
        lab.modem.once("AT+CFUN=0", delay=1.0)
        change = lab.submit(Kind.ENABLE, iccid=SECOND)
        lab.until_true(lambda: bool(power(lab)))
        lab.engine.cancel(change.id)
        lab.ended(change.id)
        assert power(lab) == ["AT+CFUN=0", "AT+CFUN=1"]
        assert lab.modem.powered


def test_the_next_start_powers_up_the_radio(tmp_path: Path, pki: Pki) -> None:
    """If lpad is killed after AT+CFUN=0, its next start switches the radio on (VoCat#82)."""
    with bench(tmp_path, pki) as lab:
        lab.install()
        lab.stop()
        memory = LinkMemory(tmp_path / "links")
        killed = open_at_link(str(tmp_path / "tty"), memory=memory)
        with killed.lend_modem(deadline=soon()) as lent:
            lent.powered_down.going_down(("AT+CFUN=1",))
            assert lent.modem.take("AT+CFUN=0", deadline=soon())
        killed.close()
        powered = [lab.modem.powered]
        again = open_at_link(str(tmp_path / "tty"), memory=LinkMemory(tmp_path / "links"))
        again.imei(deadline=soon())
        again.close()
        powered.append(lab.modem.powered)
        assert powered == [False, True]
        assert list((tmp_path / "links").glob("*.down")) == []


# Cards that refuse a switch.


@pytest.mark.parametrize(
    ("code", "times", "asked"),
    [
        (127, 1, ["enable-profile", "enable-profile-by-iccid-without-refresh"]),
        (
            1,
            2,
            [
                "enable-profile",
                "enable-profile-by-iccid-without-refresh",
                "enable-profile-by-aid-with-refresh",
            ],
        ),
        (
            127,
            3,
            [
                "enable-profile",
                "enable-profile-by-iccid-without-refresh",
                "enable-profile-by-aid-with-refresh",
                "enable-profile-by-aid-without-refresh",
            ],
        ),
    ],
)
def test_a_card_that_refuses_one_way_is_asked_in_another(
    lab: Lab, code: int, times: int, asked: list[str]
) -> None:
    """A refused switch is tried again without refresh, then by AID (lpac#13, SimAdmin#31, SimAdmin#33)."""
    iccid = lab.install()
    lab.card.faults.refuse(0xBF31, code, times=times)
    change = lab.carry_out(Kind.ENABLE, iccid=iccid)
    assert change.error is None, change.error
    assert [name for name in steps(change) if name.startswith("enable-")] == asked


def test_a_card_that_does_not_understand_is_asked_in_another_way(lab: Lab) -> None:
    """If a card answers a switch with the status word 6A80, lpad asks it in another way."""
    iccid = lab.install()
    lab.card.faults.status(0xBF31, 0x6A80)
    assert lab.carry_out(Kind.ENABLE, iccid=iccid).error is None


def test_a_card_that_refuses_every_way_reports_its_first_reason(lab: Lab) -> None:
    """If a card refuses a switch in all four ways, the error gives its first reason."""
    iccid = lab.install()
    lab.card.faults.refuse(0xBF31, 127, times=4)
    change = lab.carry_out(Kind.ENABLE, iccid=iccid)
    assert change.error is not None
    assert change.error.details["reason"] == "undefinedError"


def test_a_rule_is_not_asked_about_twice(lab: Lab) -> None:
    """If a policy rule forbids a switch, lpad does not try the other ways."""
    iccid = lab.install()
    lab.card.faults.refuse(0xBF31, 3, times=4)
    change = lab.carry_out(Kind.ENABLE, iccid=iccid)
    assert change.error is not None
    assert [name for name in steps(change) if name.startswith("enable-")] == ["enable-profile"]


def test_a_busy_card_is_asked_again(lab: Lab) -> None:
    """Lpad asks a busy card again, until its proactive session is over (openpilot)."""
    iccid = lab.install()
    lab.card.faults.cat_busy = 1
    change = lab.carry_out(Kind.ENABLE, iccid=iccid)
    assert change.error is None, change.error
    assert "card-busy" in steps(change)


def test_a_card_that_stays_busy_gets_its_modem_restarted(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a card stays busy, lpad restarts its modem once, as the last resort (openpilot)."""
    monkeypatch.setattr(card_request_retry, "BUSY", 1.0)
    with bench(tmp_path, pki, away_after_reset=0.3) as lab:
        iccid = lab.install()
        lab.card.faults.cat_busy = 2
        change = lab.carry_out(Kind.ENABLE, iccid=iccid)
        assert change.error is None, change.error
        assert steps(change).count("modem-reset") == 1


def test_a_modem_that_reads_the_card_only_between_two_channels(tmp_path: Path, pki: Pki) -> None:
    """If the modem reports no ICCID while a channel is open, a switch still needs no power cycle."""
    with bench(tmp_path, pki, handles=Handles.NUMBER, channel_hides_iccid=True) as lab:
        both(lab)
        change = lab.carry_out(Kind.ENABLE, iccid=SECOND)
        assert change.error is None
        assert power(lab) == []
        lab.until_true(lambda: lab.card.notifications == ())
        lab.until_true(lambda: lab.modem.open_channels == ())
