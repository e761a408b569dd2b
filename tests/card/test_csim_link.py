"""The contract of links on AT+CSIM, through real pyserial on a pty, for modems with various habits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from card.csim_line import open_csim_link
from card.link_contract import LinkContract, Rig
from card.scripted_card import ScriptedCard
from lpad.simulator.modem.personality import ModemPersonality
from lpad.simulator.modem.pty_modem import PtyModem

if TYPE_CHECKING:
    from collections.abc import Iterator

HABITS = {
    "well-mannered": ModemPersonality(),
    "echo-stays-on": ModemPersonality(echo_can_be_switched_off=False),
    "bare-lower-case-hex": ModemPersonality(quoted=False, lower_case=True, blank_after_colon=False),
    "no-prefix": ModemPersonality(bare_answers=True, bare_imei=False),
    "only-line-feeds": ModemPersonality(line_end="\n"),
    "chatty": ModemPersonality(
        urcs_before_answer=("RING", "+CREG: 1", "^MODE: 5,4", '+QIND: "csq",20,99'), bare_imei=False
    ),
    "chatty-with-echo": ModemPersonality(urcs_before_answer=("+CREG: 1", ""), echo_can_be_switched_off=False),
    "small-pieces": ModemPersonality(piece=7),
    "data-at-once": ModemPersonality(fetches_response=True),
    "errors-in-words": ModemPersonality(error_level=2),
}


@pytest.mark.parametrize("habits", HABITS.values(), ids=HABITS.keys())
class TestCsimLink(LinkContract):
    """The contract of links, on every modem with AT+CSIM."""

    @pytest.fixture
    def rig(self, habits: ModemPersonality) -> Iterator[Rig]:
        card = ScriptedCard()
        with PtyModem(card, personality=habits) as modem:
            link = open_csim_link(modem.path)
            try:
                yield Rig(link, card)
            finally:
                link.close()
