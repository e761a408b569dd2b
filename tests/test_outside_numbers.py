"""Numbers in text from outside lpad are read only by `base/untrusted_number.py`, with bounds."""

from __future__ import annotations

import ast
import os
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest

from lpad.api.request.api_call import Call
from lpad.base.errors import CardUnreachable, InvalidSettings, InvalidValue, LpadError, MalformedError
from lpad.base.guard_condition import Condition
from lpad.base.server_address import ServerAddress
from lpad.card.pcsc.other_programs import programs_using_pcsc
from lpad.card.pcsc.reader_choice import choose_reader
from lpad.codec.es9plus import Answer
from lpad.daemon.systemd import inherited_sockets, watchdog_interval
from lpad.engine.change.change import Kind
from lpad.engine.change.notes import NotedLimit, SwitchNotes
from lpad.engine.change.steady_clock import Moment
from lpad.engine.change.time_limit import TimeLimit
from lpad.engine.change.types_by_kind import read_notes
from lpad.protocol.at_dialogue import AtAnswer
from lpad.protocol.card_and_identity_commands import response_apdu
from lpad.protocol.registration_answer import registration_announced, registration_told
from lpad.remote.https.host_overrides import HostOverrides
from lpad.settings.parsing.yaml_document import Document
from lpad.settings.sections.euiccs.device_capabilities import version_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SOURCES = Path(__file__).parents[1] / "src" / "lpad"
READER = "base/untrusted_number.py"

TOOLS = ("simulator/", "testing/", "cli/simulated/")
"""Folders of modules that are only for tests and demonstrations."""
TYPED = ("engine/journal/",)
"""Folders whose numbers come from SQLite, with types that `table_layout_reading.py` checks."""
OURS = "our own clock or count"
ENUM = "a number, or a result that is one"
KNOWN = {
    ("api/handlers/euiccs.py", "present.since(stored.stored_at)"): OURS,
    ("api/handlers/euiccs.py", "max(ages)"): OURS,
    ("api/handlers/euiccs.py", "present.since(each.since)"): OURS,
    ("base/identifiers.py", "self.digits[14]"): "a digit of an Imei, which was checked",
    ("base/identifiers.py", "digit"): "a digit of an Imei, which was checked",
    ("base/identifiers.py", "self.digits"): "the 32 digits of an Eid, which were checked",
    ("base/identifiers.py", "first_30"): "30 digits",
    ("card/pcsc/calls.py", "min(deadline.remaining() * 1000, _LONGEST_WAIT)"): OURS,
    ("cli/session/followed_change.py", "event.data['sent']"): "a number in the JSON of our own daemon",
    ("cli/session/followed_change.py", "event.data['total']"): "a number in the JSON of our own daemon",
    ("cli/session/followed_change.py", "limit"): "a number in the JSON of our own daemon",
    (
        "cli/terminal/secret_argument_hiding.py",
        "fields[number - 3]",
    ): "of /proc/self/stat; a ValueError is caught",
    ("cli/terminal/output.py", "seconds"): "a number in the JSON of our own daemon",
    ("codec/asn1/object_identifier.py", "part"): "an arc of an identifier that lpad names",
    ("simulator/asn1/schema.py", "part"): "an arc of an identifier in rsp.asn",
    ("engine/environment/wall_clock_validity.py", "timer"): "a file descriptor",
    ("engine/switch/rollback.py", "noted_number(each, default=0, most=_MOST_CANDIDATES)"): OURS,
}
"""Calls of int() and float() by file and argument, with the reason why the argument is safe."""
DIGITS = {
    "base/identifiers.py": "text that came from bytes.hex()",
    "card/link/link_facts.py": "described, and not converted",
    "cli/session/command_session.py": "compared, and not converted",
    "protocol/iccid_answer.py": "compared, and not converted",
    "base/redaction.py": "hidden, and not converted",
}
"""Files that match digits of any script, with the reason why this is safe."""


def test_numbers_are_read_in_one_place() -> None:
    """Each call of int() or float() outside the bounded reader is in KNOWN with a reason."""
    bypassing = sorted(call for call in _calls() if call not in KNOWN)
    assert not bypassing, f"read these with {READER}, or give the reason in KNOWN: {bypassing}"


def test_digits_are_ascii() -> None:
    """Only the files in DIGITS match digits of other scripts, as isdigit() does."""
    loose = {
        file
        for file, text in _texts()
        if any(word in text for word in (r"\d", ".isdigit()", ".isdecimal()", ".isnumeric()"))
    }
    assert not loose - DIGITS.keys(), f"write [0-9], or use {READER}"


def _texts() -> Iterator[tuple[str, str]]:
    for path in sorted(SOURCES.rglob("*.py")):
        file = str(path.relative_to(SOURCES))
        if file != READER and not file.startswith(TOOLS + TYPED):
            yield file, path.read_text(encoding="utf-8")


def _calls() -> Iterator[tuple[str, str]]:
    """Yield file and argument of each call of int() or float(), and of each map() with them."""
    for file, text in _texts():
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Call):
                continue
            if _is_number(node.func):
                argument = node.args[0]
                if not isinstance(argument, ast.Constant):
                    yield file, ast.unparse(argument)
            elif isinstance(node.func, ast.Name) and node.func.id == "map" and _is_number(node.args[0]):
                yield file, f"map {ast.unparse(node.args[1])}"


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("int", "float", "Decimal", "complex")


LONG = "1" * 5000
"""A number with more digits than int() accepts."""
ARABIC = "٣"
"""A digit of another script, which int() reads as 3."""
LARGE = "9" * 30
"""A number that int() accepts, but that is too large for C and SQLite."""


def _told(line: str) -> AtAnswer:
    return AtAnswer(lines=(line,), final="OK")


def _call(**values: str) -> Call:
    nothing = cast("Any", None)
    return Call(
        engine=nothing, peer=nothing, rules=nothing, configuration=nothing,
        path=MappingProxyType(values), query=MappingProxyType(values), headers={}, closing=nothing,
    )  # fmt: skip


REFUSING: dict[str, tuple[Callable[[str], object], type[LpadError]]] = {
    "an address": (lambda digits: ServerAddress.parse(f"host.example.com:{digits}"), InvalidValue),
    "an address without a name": (lambda digits: ServerAddress.parse(f":{digits}"), InvalidValue),
    "a condition's port": (lambda digits: Condition.parse(f"tcp:host.example.com:{digits}"), InvalidValue),
    "a condition's status": (lambda digits: Condition.parse(f"http://a.example/#{digits}"), InvalidValue),
    "the modem's length": (lambda digits: response_apdu(_told(f'{digits},"9000"')), MalformedError),
    "a registration": (lambda digits: registration_told("+CEREG", _told(f"0,{digits}")), MalformedError),
    "a laboratory's host": (
        lambda digits: HostOverrides.parse({"a.example": f"10.0.0.1:{digits}"}),
        InvalidSettings,
    ),
    "a release": (version_bytes, InvalidValue),
    "a release's part": (lambda digits: version_bytes(f"15.{digits}"), InvalidValue),
    "a reader's position": (lambda digits: choose_reader(digits, ["Reader 00 00"]), CardUnreachable),
    "a change in a path": (lambda digits: _call(id=digits).change_id, InvalidValue),
    "a wait in a query": (lambda digits: _call(wait=digits).wait, InvalidValue),
}  # fmt: skip


@pytest.mark.parametrize("digits", [LONG, ARABIC, LARGE], ids=["long", "Arabic", "large"])
@pytest.mark.parametrize("name", REFUSING)
def test_number_that_cannot_be_meant(name: str, digits: str) -> None:
    """A number that is too large, or in another script, is refused with its field's error, shortened."""
    read, error = REFUSING[name]
    with pytest.raises(error) as raised:
        read(digits)
    assert len(raised.value.sentence) < 500


@pytest.mark.parametrize("digits", [LONG, ARABIC, LARGE], ids=["long", "Arabic", "large"])
def test_impossible_numbers_in_the_environment_are_ignored(digits: str) -> None:
    """Impossible numbers in WATCHDOG_USEC and LISTEN_FDS are ignored."""
    assert watchdog_interval(environment={"WATCHDOG_USEC": digits}) is None
    assert inherited_sockets(environment={"LISTEN_FDS": digits, "LISTEN_PID": str(os.getpid())}) == []


@pytest.mark.parametrize(
    "digits", [LONG, "0x" + "F" * 5000, "0" + "7" * 5000, ":".join(["59"] * 2000), LARGE]
)
def test_large_numbers_in_settings_are_reported(digits: str) -> None:
    """A too large number in the settings, in any base, is a mistake with its line."""
    document = Document.parse(f"one: 1\ntwo: {digits}\n".encode())
    assert document.value == {"one": 1, "two": None}
    assert [mistake.line for mistake in document.report.mistakes] == [2]


def test_a_long_number_does_not_hide_the_answer() -> None:
    """The other fields of a server's answer can be read if one field has a number of 5,000 digits."""
    header = '{"functionExecutionStatus": {"status": "Executed-Success"}}'
    answer = Answer.decode(f'{{"header": {header}, "extra": {LONG}, "transactionId": "00"}}'.encode())
    assert answer.fields["transactionId"] == "00"


def test_odd_names_in_proc_hide_no_process(tmp_path: Path) -> None:
    """Folders in /proc whose names are not process numbers are ignored, and processes are still found."""
    for name in ("12", "7", "1x", LONG[:200], ARABIC):
        (tmp_path / name).mkdir()
        (tmp_path / name / "comm").write_text("pcsc_scan\n", encoding="utf-8")
    assert programs_using_pcsc(tmp_path)[:2] == ["pcsc_scan (pid 7)", "pcsc_scan (pid 12)"]


@pytest.mark.parametrize("odd", [None, "12", "x", 10**400, -1, [], True])
@pytest.mark.parametrize("name", ["seconds", "wall", "boot"])
def test_damaged_time_limit(name: str, odd: Any) -> None:
    """A time limit with a damaged or missing field is read as one that ends within its 60 s."""
    moment = Moment(wall=1_800_000_000.0, boot=50.0, boot_id="a")
    noted = msgspec.to_builtins(TimeLimit.starting(60.0, at=moment).noted())
    whole = {**noted, name: odd, "boot_id": "b" if name == "wall" else "a"}
    del noted[name]
    for found in (whole, noted):
        notes = read_notes(Kind.ENABLE, {"limit": found})
        assert isinstance(notes, SwitchNotes)
        assert 0.0 <= TimeLimit.read(notes.limit or NotedLimit()).left(moment) <= 60.0


def test_an_impossible_status_is_another_line() -> None:
    """A line +CEREG with an impossible status is not an announcement of a registration."""
    assert registration_announced(f"+CEREG: {LONG}") is None
    assert registration_announced(f"+CEREG: {ARABIC}") is None
