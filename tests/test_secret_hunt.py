"""The hunt, which finds secrets in all that lpad prints, logs or passes on during the tests."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from pathlib import Path

import pytest

import lpad
from engine.lab import CARD, Lab
from lpad.base.errors import InvalidValue, NotFound
from lpad.base.identifiers import Iccid, Imei
from lpad.codec.messages.authentication import CtxParams1, DeviceCapabilities, DeviceInfo
from lpad.engine.change.change import Kind
from lpad.engine.change.params import DownloadParams
from lpad.simulator.modem.personality import ModemPersonality
from lpad.simulator.pki.pki import Pki
from lpad.simulator.profile_package.made_up_profile import made_up_profile
from secret_hunt import HUNT, Hunt

ICCID = "8944000000000099017"
IMEI = "352906110123454"
IMSI = "262021234567890"
DEVICE = DeviceInfo(Imei.parse(IMEI).tac, DeviceCapabilities(), Imei.parse(IMEI))
SOURCES = Path(lpad.__file__).parent
STARTING = re.compile(
    r"^\s*(import|from) (subprocess|multiprocessing)|os\.(exec|spawn|posix_spawn|system|popen|fork)",
    re.MULTILINE,
)
MAY_START_PROCESSES = {
    "cli/session/qr_code_reading.py",
    "cli/setup/service_restart.py",
    "cli/simulated/demo.py",
    "network/owner_program_run.py",
    "testing/daemon_process.py",
    "testing/simulated_gateway.py",
}


@pytest.mark.parametrize(
    ("secret", "line"),
    [
        (ICCID, f"the profile {ICCID} is enabled"),
        (ICCID, "> 80E2910010BF310D 984400000000009910F7"),
        (ICCID, "> 80E2910010BF310D5A0A984400000000009910F7810100"),
        (ICCID, f"GET /v1/euiccs/modem/profiles/{ICCID}/icon"),
        (ICCID, base64.b64encode(b"profile " + ICCID.encode() + b" there").decode()),
        ("KQ7-TOKEN", "download of LPA:1$smdp.example.com$KQ7-TOKEN begins"),
        ("KQ7-TOKEN", "04" + " 4b51372d544f4b454e"),
        ("vErY-53cret", 'refused: "vErY-53cret" is not a code'),
        (IMEI, f"+CGSN: {IMEI}"),
        (IMEI, "BF0C0A" + Imei.parse(IMEI).to_bytes().hex() + "00"),
        (IMEI, "BF0C0A" + Imei.parse(IMEI).to_bytes(rsp_version=3).hex() + "00"),
        (IMEI, base64.b64encode(CtxParams1("A-4", DEVICE).encode()).decode()),
        (IMSI, f"+CIMI: {IMSI}"),
        (IMSI, "< 0829262021436587099000"),
    ],
)
def test_secrets_are_found_in_all_forms(secret: str, line: str) -> None:
    """The hunt finds a secret in text, hex, BCD and base64, whether learned before or after the line."""
    before, after = Hunt(), Hunt()
    before.learn("it", secret)
    for hunt in (before, after):
        hunt.hear(line)
    after.learn("it", secret)
    assert before.found() != []
    assert after.found() != []


def test_shortened_texts_are_not_found() -> None:
    """A shortened ICCID is not a finding, and an IMEI of zeros is not a secret."""
    hunt = Hunt()
    hunt.learn("ICCID", ICCID)
    hunt.learn("IMEI", "000000000000000")
    hunt.hear("the profile …9017 is enabled; 00000000000000000000")
    assert hunt.found() == []


def test_the_hunt_covers_the_whole_suite() -> None:
    """The hunt runs during all tests; its findings make the run fail (tests/conftest.py)."""
    assert "hunt for secrets: " in HUNT.summary


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki.open(tmp_path_factory.mktemp("pki"))


def test_sources_add_their_secrets(tmp_path: Path, pki: Pki) -> None:
    """The hunt learns the secrets of each card, modem, order, profile and request in the tests."""
    with Lab(tmp_path, pki, personality=ModemPersonality(imei=IMEI)) as lab:
        package = made_up_profile(Iccid.parse(ICCID), imsi=IMSI, size=3000)
        order = lab.server.orders.add_order(package, confirmation_code="hunted-code")
        secrets = {"activation_code": lab.code(order), "confirmation_code": "other-code"}
        lab.engine.submit(CARD, DownloadParams(), secrets=secrets)
        eid = str(lab.card.eid)
    learned = [HUNT.secrets.get(each) for each in (eid, IMEI, IMSI, ICCID, order.matching_id)]
    assert learned == ["EID", "IMEI", "IMSI", "ICCID", "matching ID"]
    assert {HUNT.secrets.get(each) for each in ("hunted-code", "other-code")} == {"confirmation code"}


def test_all_output_is_searched(tmp_path: Path, pki: Pki) -> None:
    """The hunt searches errors' sentences, metrics and the arguments of processes that lpad starts."""
    InvalidValue("there is no plugh-xyzzy")
    assert HUNT.has_heard("plugh-xyzzy")
    with Lab(tmp_path, pki) as lab:
        lab.carry_out(Kind.REFRESH)
    assert HUNT.has_heard("lpad_card_state"), "the hunt has not searched the metrics"
    own = {"__name__": "lpad.made_up", "subprocess": subprocess, "sys": sys}
    exec("subprocess.run([sys.executable, '-c', '', 'frobnicated'], check=True)", own)
    assert HUNT.has_heard("frobnicated")
    subprocess.run([sys.executable, "-c", "", "unfrobnicated"], check=True)
    assert not HUNT.has_heard("unfrobnicated"), "the hunt has searched a test's own process"


def test_the_daemon_starts_no_processes() -> None:
    """Only the listed terminal commands, fixtures and the runner have code that starts a process."""
    found = {
        str(path.relative_to(SOURCES))
        for path in SOURCES.rglob("*.py")
        if STARTING.search(path.read_text(encoding="utf-8"))
    }
    assert found == MAY_START_PROCESSES


def test_errors_shorten_identifiers_themselves() -> None:
    """An error shortens identifiers in its sentence; its details have the whole values."""
    error = NotFound(f"the card holds no profile {ICCID}; read LPA:1$smdp.example.com$TOKEN", iccid=ICCID)
    assert error.sentence == str(error) == "the card holds no profile …9017; read LPA:1$smdp.example.com$…"
    assert error.details == {"iccid": ICCID}


def test_random_text_around_an_identifier_counts_except_in_tests_with_random_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An identifier within a longer word is a finding, except in tests with random input."""
    for test, expected in (
        ("tests/fuzz/test_targets.py::test_x", [False, True]),
        ("tests/x.py::y", [True, True]),
    ):
        monkeypatch.setenv("PYTEST_CURRENT_TEST", f"{test} (call)")
        for line, found in zip((f"'e{ICCID}'", f"'{ICCID}'"), expected, strict=True):
            hunt = Hunt()
            hunt.learn("ICCID", ICCID)
            hunt.hear(line)
            assert bool(hunt.found()) is found


def test_several_processes_hunt_as_one() -> None:
    """A hunt includes the findings and the counts of another process's report."""
    judge, other = Hunt(), Hunt()
    for hunt, line in ((judge, "nothing here"), (other, f"the profile {ICCID} is enabled")):
        hunt.learn("ICCID", ICCID)
        hunt.hear(line)
    judge.take(other.report())
    assert [found.split(" in ")[0] for found in judge.found()] == ["ICCID"]
    assert judge.summary == "hunt for secrets: ICCID 2, in 2 lines"
