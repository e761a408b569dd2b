"""Faults of other LPAs that users have reported, about modems and identifiers; lpad avoids each of them.

Each test cites the report, as repository#number. docs/complaints.md lists all reports with their tests. Tests
about PC/SC and switching are next to those of the code concerned.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from card.link_contract import EID, GET_EID, OTHER_ISD_R, soon
from card.scripted_card import ScriptedCard
from lpad.base.deadline import Deadline
from lpad.base.errors import CardStatus, CardUnreachable
from lpad.base.identifiers import ISD_R, Iccid
from lpad.card.at.at_link import AtLink, open_at_link
from lpad.card.isdr.isdr import isdr_session
from lpad.card.link.isdr_aids import isdr_aids
from lpad.card.link.remembered_links import LinkMemory
from lpad.card.port.link_refused import LinkRefused
from lpad.card.quirks.modem_identity import ModemIdentity
from lpad.card.quirks.quirk_files import find_quirks
from lpad.card.quirks.quirks import LinkKind, Step
from lpad.codec.messages.profile_info import TAGS
from lpad.codec.messages.profiles import ProfileInfoListRequest
from lpad.simulator.modem.pty_modem import PtyModem
from lpad.simulator.personalities import find_personality

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def bench(name: str, card: ScriptedCard | None = None, **overrides: Any) -> Iterator[tuple[PtyModem, AtLink]]:
    """Yield a simulated modem with a card, and lpad's open link to the card."""
    card = card or ScriptedCard(answers={GET_EID: EID})
    with PtyModem(card, personality=find_personality(name).modem) as modem:
        link = open_at_link(modem.path, overrides=overrides)
        try:
            yield modem, link
        finally:
            link.close()
    assert card.open == set()


def get_eid(link: AtLink) -> bytes:
    with isdr_session(link, aids=isdr_aids(), deadline=soon()) as isdr:
        return isdr.command(GET_EID, deadline=soon())


def quirks_of(manufacturer: str, model: str) -> Any:
    return find_quirks(ModemIdentity(manufacturer=manufacturer, model=model)).quirks


# Modems, and the commands through which they reach the card.


def test_class_bytes_name_no_channel_and_the_handle_is_not_a_number() -> None:
    """Through +CGLA the class byte is 80, whatever +CCHO answered (lpac#138)."""
    with bench("cgla-hex64") as (modem, link):
        assert get_eid(link) == EID
        apdus = [line for line in modem.received if line.startswith("AT+CGLA=")]
        assert apdus
        assert all(',"80E2' in line for line in apdus)


def test_a_modem_that_wants_the_channel_in_the_class_byte_gets_it() -> None:
    """If a modem passes class bytes on, lpad puts the channel into the class byte (lpac#143)."""
    with bench("cgla-channel-in-class") as (modem, link):
        assert get_eid(link) == EID
        assert link.kind is LinkKind.CGLA_CHANNEL_IN_CLASS
        assert any(re.search(',"8[1-3]E2', line) for line in modem.received)


def test_a_64_bit_handle_is_sent_back_as_it_came() -> None:
    """Sierra's session IDs are 16 hexadecimal digits, which lpad sends back unchanged (lpac#139)."""
    with bench("cgla-hex64") as (modem, link):
        get_eid(link)
        assert any(line.startswith("AT+CCHC=00000000038aa3") for line in modem.received)


@pytest.mark.parametrize("name", ["cgla-hex64", "strict-csim"])
def test_no_test_form_is_asked(name: str) -> None:
    """A modem that refuses AT+CGLA=? may support AT+CGLA, so lpad sends no test form (lpac#139, lpac#300)."""
    with bench(name) as (modem, link):
        assert get_eid(link) == EID
        assert not [line for line in modem.received if line.endswith("=?")]


def test_a_bare_number_is_a_handle() -> None:
    """The answer '1' alone to +CCHO, as from FM350-GL, is a handle (lpac#209, lpac#445)."""
    with bench("cgla-bare-number") as (_, link):
        assert get_eid(link) == EID
        assert link.kind is LinkKind.CGLA


def test_channels_of_other_programs_are_not_closed() -> None:
    """Unlike another LPA, lpad does not begin with AT+CCHC=1 to 4, which FM350 refuses (lpac#209)."""
    with bench("cgla-bare-number") as (modem, link):
        get_eid(link)
        get_eid(link)
        assert [line for line in modem.received if "CCHC" in line] == ["AT+CCHC=1"] * 3


@pytest.mark.parametrize("name", ["strict-csim", "lower-case-bare-hex", "only-line-feeds"])
def test_a_modem_without_the_ccho_family_is_reached_through_csim(name: str) -> None:
    """DW5821e-eSIM, which has only +CSIM, is reached through +CSIM (lpac#164, lpac#394)."""
    with bench(name) as (_, link):
        assert get_eid(link) == EID


@pytest.mark.parametrize("name", ["cgla-number", "csim-fails-on-channels"])
def test_csim_that_fails_on_logical_channels_is_left_for_cgla(name: str) -> None:
    """If +CSIM refuses commands on a channel, lpad uses +CGLA (EG25, IK41; lpac#164, at_client_sdk#1568)."""
    with bench(name, links=["csim", "cgla"]) as (_, link):
        assert get_eid(link) == EID
        assert link.kind is LinkKind.CGLA


def test_csim_that_opens_no_channel_is_left_for_cgla() -> None:
    """MS2372h-517 refuses MANAGE CHANNEL over +CSIM, so lpad uses +CGLA (lpac#164)."""
    with bench("csim-blocks-manage-channel", links=["csim", "cgla"]) as (_, link):
        assert get_eid(link) == EID


def test_a_modem_without_cchc_gets_its_channel_closed_by_the_card() -> None:
    """EM9191 has no +CCHC, so lpad closes the channel with MANAGE CHANNEL through +CGLA (lpac#187)."""
    card = ScriptedCard(answers={GET_EID: EID})
    with bench("no-cchc", card) as (_, link):
        for _ in range(5):
            assert get_eid(link) == EID
            assert card.open == set()


def test_a_modem_that_gives_no_access_reports_this_for_each_link() -> None:
    """SIM7600 and LE910C4 refuse to select the ISD-R; the error reports this (lpac#168, lpac#221)."""
    with bench("strict-csim") as (modem, link):
        for _ in range(4):
            modem.once("AT+CSIM", instead=("+CME ERROR: 3",), executed=False)
        with pytest.raises(LinkRefused) as caught:
            get_eid(link)
        assert "csim" in caught.value.sentence
        assert "cgla" in caught.value.sentence
        assert "ask the vendor" in caught.value.sentence


def test_a_missing_port_states_where_ports_are_listed(tmp_path: Path) -> None:
    """The error points to /dev/serial/by-id, which names the ports permanently (lpac#73)."""
    with pytest.raises(CardUnreachable, match="/dev/serial/by-id"):
        open_at_link(str(tmp_path / "ttyUSB7"))


def test_a_parameter_error_to_ccho_is_a_refusal_like_others() -> None:
    """EM9191 answers 'Parameters error' to a full AID; the search continues (lpac#187)."""
    with bench("well-mannered") as (modem, link):
        modem.once("AT+CCHO", instead=("+CME ERROR: Parameters error",), executed=False)
        assert get_eid(link) == EID
        assert link.kind is LinkKind.CSIM


def test_a_sim_that_is_not_ready_is_waited_for() -> None:
    """If the SIM is busy at the first call, lpad repeats the call (lpac#241)."""
    with bench("busy-at-first") as (_, link):
        assert get_eid(link) == EID


def test_a_vendors_isdr_is_not_a_broken_card() -> None:
    """A vendor's AID for the ISD-R is found through lpad's list (lpac#175, lpac#157, EasyLPAC#22)."""
    card = ScriptedCard(answers={GET_EID: EID}, applications=(bytes(OTHER_ISD_R),))
    with bench("well-mannered", card) as (_, link):
        assert get_eid(link) == EID


@pytest.mark.parametrize("told", [None, 13])
def test_a_card_that_is_not_an_euicc_is_distinguished_from_a_broken_link(told: int | None) -> None:
    """A plain SIM is not a broken link, whatever error +CCHO gets (openpilot#37847, openpilot#37979)."""
    card = ScriptedCard(applications=())
    final = "ERROR" if told is None else f"+CME ERROR: {told}"
    with bench("well-mannered", card) as (modem, link):
        for _ in range(30):
            modem.once("AT+CCHO", instead=(final,), executed=False)
        with pytest.raises(CardStatus, match="not an eUICC"):
            get_eid(link)


# Hangs.


def test_a_port_that_answers_nothing_ends_in_time() -> None:
    """RM520N-GL's /dev/wwan0at0 answered no command; in lpad each command has a deadline (lpac#182)."""
    with bench("well-mannered") as (modem, link):
        modem.once(instead=())
        with pytest.raises(CardUnreachable, match="did not answer in time"):
            link.imei(deadline=Deadline.after(0.2))


def test_a_session_left_by_a_crash_is_closed_before_the_next(tmp_path: Path) -> None:
    """Lpad closes the channel that a crash has left open, without a reboot of the modem (openpilot#37271)."""
    card = ScriptedCard(answers={GET_EID: EID})
    with PtyModem(card, personality=find_personality("cgla-number").modem) as modem:
        crashed = open_at_link(modem.path, memory=LinkMemory(tmp_path))
        crashed.open_channel((ISD_R,), deadline=soon())
        crashed.close()  # Only the port is closed, not the channel.
        link = open_at_link(modem.path, memory=LinkMemory(tmp_path))
        link.imei(deadline=soon())
        assert card.open == set()
        link.close()


def test_all_channels_taken_by_crashes_are_freed() -> None:
    """Three leaked channels block a card; lpad frees them (OpenEUICC leaks one whenever SELECT fails)."""
    card = ScriptedCard(answers={GET_EID: EID})
    with bench("strict-csim", card) as (_, link):
        for _ in range(3):
            card.transmit(bytes.fromhex("0070000001"))
        assert get_eid(link) == EID


# Faults in the middle of a download.


def test_a_modem_that_fails_within_a_profile_package_is_not_asked_again_within_it() -> None:
    """If +CGLA fails in a command (EC20F), no APDU is repeated; the next attempt uses +CSIM (lpac#186)."""
    card = ScriptedCard(answers={GET_EID: EID})
    with bench("cgla-breaks-in-profile", card, links=["cgla", "csim"]) as (_, link):
        with isdr_session(link, deadline=soon()) as isdr, pytest.raises(LinkRefused):
            isdr.command(bytes(12000), deadline=soon())
        blocks = [command.p2 for command in card.sent if command.ins == 0xE2 and command.p1 == 0x11]
        assert blocks == sorted(set(blocks))
        with isdr_session(link, deadline=soon()) as isdr:
            isdr.command(bytes(12000), deadline=soon())
        assert link.kind is LinkKind.CSIM


# The steps that a modem needs after a switch, as data for the ladder.


def test_switching_an_eg25_spares_the_usb_re_enumeration() -> None:
    """An EG25 reads the new profile without a REFRESH, so lpad asks for none (agnos-builder#556)."""
    assert not quirks_of("Quectel", "EG25").refresh_flag


def test_a_modem_that_keeps_the_old_state_is_power_cycled_step_by_step() -> None:
    """Each ladder ends with a reset of the modem, after gentler steps (lpac#450, openpilot#35279)."""
    for manufacturer, model in (("Quectel", "EG25"), ("Telit", "LE910C4"), ("Acme", "")):
        steps = [rung.step for rung in quirks_of(manufacturer, model).refresh_ladder]
        assert steps[0] is Step.WAIT
        assert steps[-1] is Step.MODEM_RESET
        assert len(steps) > 2


def test_an_ec20_gets_its_operator_settings_reset_after_a_switch() -> None:
    """After a switch, an EC20 gets the generic MBN; with the old one, it would not register (VoCat#110)."""
    quirks = quirks_of("Quectel", "EC20F")
    assert quirks.after_switch == ('AT+QMBNCFG="Select","ROW_Generic_3GPP"', "AT+CFUN=1,1")


def test_nothing_is_taken_down_that_is_not_brought_up() -> None:
    """Each step that takes something down also has a command that brings it up again (VoCat#82)."""
    for manufacturer, model in (
        ("Quectel", "EC25"),
        ("Telit", "LE910C4"),
        ("Sierra", "MC7455"),
        ("Acme", ""),
    ):
        for rung in quirks_of(manufacturer, model).refresh_ladder:
            assert rung.up or not rung.down


def test_l850_and_t77w968_are_refreshed_without_modemmanager() -> None:
    """L850 and T77W968 have commands for a reset, which mmcli -r cannot do (openmptcprouter-feeds#320)."""
    for manufacturer, model in (("Fibocom", "L850-GL"), ("Dell", "DW5821e")):
        assert quirks_of(manufacturer, model).refresh_ladder[-1].up


# Identifiers.


def test_an_18_digit_iccid_has_10_bytes() -> None:
    """An ICCID of 18 digits is padded to 10 bytes, as the card expects (luci-app-5gmodem#30, lpac#457)."""
    iccid = Iccid.parse("890490320012345678")
    assert len(bytes(iccid)) == 10
    assert Iccid.from_bytes(bytes(iccid)) == iccid


@pytest.mark.parametrize("told", ["8904903200123456789F", "8904903200123456789f", "8904 9032 0012 3456 789"])
def test_an_iccid_with_its_padding_is_the_same_iccid(told: str) -> None:
    """An ICCID that a modem reports with the F at its end is read (openpilot#38021, sigmo fc00eaf)."""
    assert Iccid.parse(told) == Iccid.parse("8904903200123456789")


def test_profiles_are_listed_with_their_notification_addresses() -> None:
    """Lpad's request for the list of profiles names tag B6, the recipients of notifications (euicc-go#8)."""
    assert 0xB6 in ProfileInfoListRequest(tags=TAGS).tags
