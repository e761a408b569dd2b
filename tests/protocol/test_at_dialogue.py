"""The AT dialogue: it reads modems' output in any form and portions, and gets into step again."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpad.base.errors import InternalError, MalformedError
from lpad.protocol.at_dialogue import LONGEST_LINE, MOST_LINES, AtAnswer, AtCommand, AtDialogue, State
from lpad.protocol.at_dialogue import _Line as Line
from lpad.protocol.card_and_identity_commands import cgsn, csim, response_apdu

APDU = bytes.fromhex("0070000001")
ECHO = b'AT+CSIM=10,"0070000001"\r'


def asked(command: AtCommand | None = None) -> AtDialogue:
    dialogue = AtDialogue()
    dialogue.ask(command or csim(APDU))
    return dialogue


def answer_to(data: bytes, command: AtCommand | None = None) -> AtAnswer | None:
    dialogue = asked(command)
    dialogue.receive(data)
    return dialogue.answer


def response_to(data: bytes) -> bytes:
    answer = answer_to(data)
    assert answer is not None
    assert answer.ok
    return response_apdu(answer)


def test_a_command_ends_with_carriage_return() -> None:
    """AT+CSIM gives the length in hexadecimal characters, and ends with a carriage return."""
    assert AtDialogue().ask(csim(APDU)) == ECHO


@pytest.mark.parametrize(
    "data",
    [
        b'\r\n+CSIM: 6,"019000"\r\n\r\nOK\r\n',
        ECHO + b'\r\n+CSIM: 6,"019000"\r\n\r\nOK\r\n',
        b'+CSIM: 6,"019000"\nOK\n',
        b'+CSIM: 6,"019000"\rOK\r',
        b'\r\n\r\n\r\n+CSIM: 6,"019000"\r\n\r\n\r\nOK\r\n\r\n',
        b'+CSIM:6,"019000"\r\nOK\r\n',
        b"+CSIM: 6,019000\r\nOK\r\n",
        b'+CSIM: 6, "019000" \r\nOK\r\n',
        b'+csim: 6,"019000"\r\nok\r\n',
        b'6,"019000"\r\nOK\r\n',
        b"6,019000\r\nOK\r\n",
        b'\0\0+CSIM: 6,"019000"\r\nOK\r\n',
    ],
)
def test_every_form_of_an_answer_is_understood(data: bytes) -> None:
    """Echo, empty lines, CR, LF, blanks, quotes and prefix of an answer may be present or missing."""
    assert response_to(data) == b"\x01\x90\x00"


@pytest.mark.parametrize("digits", [b"BF2D009000", b"bf2d009000", b"Bf2D009000"])
def test_hex_of_either_case_is_understood(digits: bytes) -> None:
    """Hexadecimal digits of an answer may be in upper or lower case."""
    assert response_to(b'+CSIM: 10,"' + digits + b'"\r\nOK\r\n') == bytes.fromhex("BF2D009000")


@pytest.mark.parametrize(
    "urc",
    [
        b"\r\nRING\r\n",
        b"\r\n+CREG: 1\r\n",
        b"\r\n^MODE: 5,4\r\n",
        b'\r\n+QIND: "csq",20,99\r\n',
        b"\r\n+QUSIM: 1\r\n",
        b"\r\n+SOMETHINGNOBODYKNOWS\r\n",
        b"\r\n+CSIMX: 4\r\n",
        b'\r\n+CUSATP: "D0118103012105820281028D0604"\r\n',
    ],
)
def test_unsolicited_lines_are_not_an_answer(urc: bytes) -> None:
    """Unsolicited lines before, in and after an answer are kept separately from it."""
    dialogue = asked()
    dialogue.receive(urc + ECHO + urc + b'+CSIM: 6,"019000"' + urc + b"OK\r\n" + urc)
    assert dialogue.answer == AtAnswer(('6,"019000"',), "OK")
    assert dialogue.unsolicited() == (urc.strip().decode(),) * 4
    assert dialogue.unsolicited() == ()


@pytest.mark.parametrize(
    ("final", "error"),
    [
        ("ERROR", None),
        ("+CME ERROR: 13", "13"),
        ("+CME ERROR:3", "3"),
        ("+CME ERROR: SIM busy", "SIM busy"),
        ("+CMS ERROR: 302", "302"),
        ("NO CARRIER", None),
        ("NO DIALTONE", None),
        ("BUSY", None),
        ("COMMAND NOT SUPPORT", None),
        ("ABORTED", None),
    ],
)
def test_every_final_result_ends_a_command(final: str, error: str | None) -> None:
    """Each final result, such as +CME ERROR, ends a command; its error number or text is read."""
    answer = answer_to(f"\r\n{final}\r\n".encode())
    assert answer is not None
    assert (answer.final, answer.error, answer.ok) == (final, error, False)


def test_leftovers_before_the_echo_are_dropped() -> None:
    """Lines before a command's echo are dropped, because they belong to an earlier command."""
    leftover = b'=4,"9000"\r\n+CSIM: 4,"9000"\r\n'
    assert response_to(leftover + ECHO + b'+CSIM: 6,"019000"\r\nOK\r\n') == b"\x01\x90\x00"


def test_a_leftover_ok_is_not_the_answer() -> None:
    """An OK without the expected information does not end a command; the answer that follows does."""
    dialogue = asked()
    dialogue.receive(b"\r\nOK\r\n")
    assert dialogue.answer is None
    assert dialogue.lone_ok
    dialogue.receive(b'\r\n+CSIM: 6,"019000"\r\n\r\nOK\r\n')
    assert dialogue.answer == AtAnswer(('6,"019000"',), "OK")


def test_a_torn_echo_is_not_the_answer() -> None:
    """If an unsolicited line divides the echo, its remaining part is not taken for the answer."""
    torn = b'AT+CSIM=\r\n+CREG: 1\r\n10,"0070000001"\r'
    assert response_to(torn + b'\r\n+CSIM: 6,"019000"\r\nOK\r\n') == b"\x01\x90\x00"


@pytest.mark.parametrize(
    "line",
    ['8,"019000"', '4,"019000"', '5,"01900"', '6,"01900G"', '"019000"', "6", "", '3,"019000"'],
)
def test_an_answer_that_contradicts_itself_is_malformed(line: str) -> None:
    """An answer whose length contradicts its hexadecimal digits is malformed."""
    answer = answer_to(f"+CSIM: {line}\r\nOK\r\n".encode())
    assert answer is not None
    with pytest.raises(MalformedError):
        response_apdu(answer)


@pytest.mark.parametrize(
    "line", ["490154203237518", '"490154203237518"', "+CGSN: 490154203237518", '+CGSN:"490154203237518"']
)
def test_an_imei_comes_bare_or_with_prefix(line: str) -> None:
    """An IMEI is read with or without prefix and quotes."""
    answer = answer_to(f"\r\n+CREG: 1\r\n\r\n{line}\r\n\r\nOK\r\n".encode(), cgsn())
    assert answer is not None
    assert answer.lines[0].strip('"') == "490154203237518"


def test_a_command_without_information_ends_with_ok() -> None:
    """A command that expects no information, such as ATE0, ends with OK alone."""
    answer = answer_to(b"ATE0\r\r\nOK\r\n", AtCommand("ATE0"))
    assert answer == AtAnswer((), "OK")


def test_a_second_command_waits_for_the_first() -> None:
    """Asking or probing while an answer is due is an internal error."""
    dialogue = asked()
    with pytest.raises(InternalError):
        dialogue.ask(csim(APDU))
    with pytest.raises(InternalError):
        dialogue.probe()


def given_up() -> AtDialogue:
    dialogue = asked()
    dialogue.give_up()
    return dialogue


LATE = b'\r\n+CSIM: 4,"9000"\r\n\r\nOK\r\n'


def test_after_a_deadline_the_dialogue_is_out_of_step() -> None:
    """While the answer to a given-up command is outstanding, no command can be sent."""
    dialogue = given_up()
    assert not dialogue.in_step
    with pytest.raises(InternalError):
        dialogue.ask(csim(APDU))


def test_the_late_answer_itself_puts_in_step() -> None:
    """The late final result of a given-up command puts the dialogue in step again."""
    dialogue = given_up()
    dialogue.receive(LATE)
    assert dialogue.in_step
    assert dialogue.answer is None


def test_half_a_late_answer_does_not_put_in_step() -> None:
    """A late answer without its final result does not put the dialogue in step."""
    dialogue = given_up()
    dialogue.receive(b'=4,"9000"\r\n\r\n+CSIM: 4,"9000"\r\n')
    assert not dialogue.in_step


@pytest.mark.parametrize(
    "data",
    [
        LATE + b"\r\n+CMEE: 1\r\n\r\nOK\r\n",  # the modem answers the command and then the probe
        b"\r\n+CMEE: 1\r\n\r\nOK\r\n",  # the modem lost the command
        LATE + b"\r\nERROR\r\n",  # the modem does not know the probe
        b'AT+CMEE?\r=4,"9000"\r\nOK\r\n\r\n+CMEE:1\r\nOK\r\n',
        b"+CME ERROR: 13\r\n+CMEE: 0\r\nOK\r\n",
    ],
)
def test_the_probe_puts_in_step(data: bytes) -> None:
    """The probe's own answer or a second final result puts the dialogue in step for the next command."""
    dialogue = given_up()
    assert dialogue.probe() == b"AT+CMEE?\r"
    *most, end = data.removesuffix(b"\n")
    for byte in most:
        dialogue.receive(bytes([byte]))
        assert not dialogue.in_step
    dialogue.receive(bytes([end]))
    assert dialogue.in_step
    dialogue.receive(b"\n")
    dialogue.ask(csim(APDU))
    dialogue.receive(b'+CSIM: 6,"019000"\r\nOK\r\n')
    assert dialogue.answer == AtAnswer(('6,"019000"',), "OK")


def test_one_final_result_and_silence_after_a_probe_put_in_step() -> None:
    """After a probe, one final result followed by silence puts the dialogue in step."""
    dialogue = given_up()
    dialogue.probe()
    dialogue.receive(LATE)
    assert not dialogue.in_step
    dialogue.give_up()
    assert dialogue.in_step


def test_silence_after_a_probe_leaves_out_of_step() -> None:
    """If a modem does not answer the probe, the dialogue stays out of step, and can probe again."""
    dialogue = given_up()
    dialogue.probe()
    dialogue.give_up()
    assert not dialogue.in_step
    assert dialogue.probe()


def test_the_end_of_a_call_is_final_but_not_trusted() -> None:
    """NO CARRIER ends a command, but the dialogue is out of step until the late answer is dropped."""
    dialogue = asked()
    dialogue.receive(b"\r\nNO CARRIER\r\n")
    assert dialogue.answer == AtAnswer((), "NO CARRIER")
    assert not dialogue.in_step
    dialogue.receive(LATE)
    assert dialogue.in_step


def test_idle_lines_belong_to_no_command() -> None:
    """Lines between two commands count as unsolicited, and not as an answer to the second one."""
    dialogue = AtDialogue()
    dialogue.receive(LATE + b"\r\nRING\r\n")
    dialogue.ask(csim(APDU))
    assert dialogue.answer is None
    assert not dialogue.lone_ok
    assert dialogue.unsolicited() == ('+CSIM: 4,"9000"', "RING")


def test_a_line_begun_before_the_command_is_not_its_answer() -> None:
    """A line that began before the command was sent is not taken for its answer."""
    dialogue = AtDialogue()
    dialogue.receive(b"\r\nERR")
    dialogue.ask(csim(APDU))
    dialogue.receive(b'OR\r\n\r\n+CSIM: 6,"019000"\r\nOK\r\n')
    assert dialogue.answer == AtAnswer(('6,"019000"',), "OK")


def test_every_state_knows_every_line() -> None:
    """The dialogue's table has a transition for each state and each kind of line."""
    assert set(AtDialogue._TRANSITIONS) == set(itertools.product(State, Line))


def test_a_line_without_end_does_not_eat_the_memory() -> None:
    """A line longer than LONGEST_LINE is dropped, and the next line is read."""
    dialogue = asked()
    for _ in range(100):
        dialogue.receive(b"\xff" * 1000)
    assert len(dialogue._unfinished) <= LONGEST_LINE
    dialogue.receive(b'still noise\r\n+CSIM: 6,"019000"\r\nOK\r\n')
    assert dialogue.answer == AtAnswer(('6,"019000"',), "OK")


PARTS = st.sampled_from(
    [
        b"\r\n",
        b"\n",
        b"\r",
        b"OK",
        b"ERROR",
        b"+CME ERROR: 14",
        b'+CSIM: 6,"019000"',
        b"+CSIM: 6,019000",
        b'=4,"9000"',
        b'6,"019000"',
        b"RING",
        b"+CREG: 1",
        b"+CMEE: 1",
        b"NO CARRIER",
        ECHO,
        b"AT+CMEE?\r",
        b"\x00\xff\x80",
        b"x" * 9000,
    ]
)


@given(st.lists(PARTS, max_size=30).map(b"".join), st.lists(st.integers(0, 9999), max_size=20))
def test_any_portions_give_the_same_answer(data: bytes, cuts: list[int]) -> None:
    """However the modem's output is divided into portions, answer and state are the same."""
    whole, cut = asked(), asked()
    whole.receive(data)
    places = sorted({0, len(data), *(place % (len(data) + 1) for place in cuts)})
    for start, end in itertools.pairwise(places):
        cut.receive(data[start:end])
    assert cut.answer == whole.answer
    assert cut.state == whole.state
    assert cut.unsolicited() == whole.unsolicited()


STEPS = st.lists(st.one_of(st.binary(max_size=200), PARTS, st.sampled_from(["ask", "give up", "probe"])))


@given(STEPS)
def test_garbage_never_crashes_the_dialogue(steps: list[bytes | str]) -> None:
    """The dialogue accepts any bytes in any state, and a probe puts it in step again."""
    dialogue = AtDialogue()
    for step in steps:
        if isinstance(step, bytes):
            dialogue.receive(step)
        elif step == "ask" and dialogue.in_step:
            dialogue.ask(csim(APDU))
        elif step == "probe" and dialogue.state is State.OUT_OF_STEP:
            dialogue.probe()
        elif step == "give up":
            dialogue.give_up()
    dialogue.give_up()
    if dialogue.state is State.OUT_OF_STEP:
        dialogue.probe()
        dialogue.receive(b"\r\n\r\n+CMEE: 1\r\nOK\r\n")
    assert dialogue.in_step
    dialogue.ask(csim(APDU))
    dialogue.receive(b'\r\n\r\n+CSIM: 6,"019000"\r\nOK\r\n')
    assert dialogue.answer == AtAnswer(('6,"019000"',), "OK")


def test_lines_without_end_do_not_eat_the_memory() -> None:
    """Of many lines, the dialogue keeps at most MOST_LINES."""
    dialogue = asked()
    for _ in range(20):
        dialogue.receive(b'+CSIM: 4,"9000"\r\nRING\r\n' * 1000)
    assert len(dialogue._lines) <= MOST_LINES
    assert len(dialogue.unsolicited()) <= MOST_LINES


def test_lines_before_the_echo_belong_to_an_earlier_command() -> None:
    """Information before the echo, with or without prefix, is not part of the answer."""
    command = AtCommand("AT+CCHO", prefix="+CCHO", bare=r"[0-9]+")
    assert answer_to(b"7\r\nAT+CCHO\r\n3\r\nOK\r\n", command) == AtAnswer(("3",), "OK")
    assert answer_to(b"+CCHO: 7\r\nAT+CCHO\r\n3\r\nOK\r\n", command) == AtAnswer(("3",), "OK")


def test_an_echo_forgets_an_ok_that_came_alone() -> None:
    """The echo resets `lone_ok`, because an OK before the echo belongs to an earlier command."""
    heard = []
    dialogue = asked(AtCommand("AT+CCHO", prefix="+CCHO"))
    for data in (b"OK\r\n", b"AT+CCHO\r\n"):
        dialogue.receive(data)
        heard.append(dialogue.lone_ok)
    assert heard == [True, False]


def test_a_new_dialogue_has_heard_nothing() -> None:
    """In a new dialogue, `lone_ok` is false."""
    assert not AtDialogue().lone_ok


@pytest.mark.parametrize(
    ("command", "informs"),
    [
        (AtCommand("AT"), False),
        (AtCommand("AT+X", prefix="+X"), True),
        (AtCommand("AT+X", bare=r"[0-9]+"), True),
        (AtCommand("AT+X", prefix="+X", bare=r"[0-9]+"), True),
    ],
)
def test_an_ok_alone_is_not_an_answer_to_a_question(command: AtCommand, *, informs: bool) -> None:
    """OK alone ends a command only if the command expects no information."""
    assert command.informs is informs
    assert (answer_to(b"OK\r\n", command) is None) is informs
