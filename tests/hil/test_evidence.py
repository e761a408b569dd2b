"""The evidence of a bench run at all places: it opens in a browser and in tshark, and is safe to send."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html import unescape
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from hil.simulated.stage import EIDS
from hil_run import Run

if TYPE_CHECKING:
    from pathlib import Path

    from hil.simulated.stage import Stage

CASES = "ten_switches or activation_code or every_question or test_modem"
MEASURE = """<script>
const seen = {
  width: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  empty: [...document.querySelectorAll("svg rect, svg circle, td.mark")].filter(e => {
    const box = e.getBoundingClientRect(); return box.width === 0 || box.height === 0; }).length,
  outside: [...document.querySelectorAll("svg *:not(title):not(g):not(line)")].filter(e => {
    const box = e.getBoundingClientRect(), frame = e.ownerSVGElement.getBoundingClientRect();
    return box.right > frame.right + 2 || box.left < frame.left - 2 || box.bottom > frame.bottom + 2;
  }).length,
  pictures: document.querySelectorAll("svg").length,
};
document.title = JSON.stringify(seen);
</script>"""


@pytest.fixture(scope="module")
def runs(stage: Stage) -> list[Path]:
    """Two runs of the same cases, at all places in parallel."""
    folders = []
    for _ in range(2):
        run = Run(stage.bench, "-k", CASES)
        assert run.end() == 0, run.logs
        folders.append(run.folder)
    return folders


def in_browser(page: Path, *, width: int) -> str:
    """Return the HTML of the page after Chromium has laid it out at the given window width."""
    done = subprocess.run(
        [
            *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"),
            *(f"--window-size={width},900", "--user-data-dir=" + str(page.parent / "browser"), page.as_uri()),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout


def test_all_places_together(runs: list[Path]) -> None:
    """One JUnit file has a suite for each place, and each place's own files are next to it."""
    suites = ET.parse(runs[-1] / "junit.xml").getroot()
    assert {suite.get("name") for suite in suites} == set(EIDS)
    began = [json.loads((runs[-1] / name / "findings.json").read_text())["began"] for name in EIDS]
    ended = [json.loads((runs[-1] / name / "findings.json").read_text())["ended"] for name in EIDS]
    assert max(began) < min(ended), "the places ran one after the other"
    for name in EIDS:
        names = {path.name for path in (runs[-1] / name).iterdir()}
        assert names >= {"daemon.log", "probe.json", "timings.json", "findings.json", "junit.xml"}


def test_fit_to_be_sent(stage: Stage, runs: list[Path]) -> None:
    """Public files identify no card, subscriber or code; only the owner can read the private ones."""
    secrets = {*EIDS.values(), *(str(each.iccid) for card in stage.cards.values() for each in card.profiles)}
    secrets |= set(re.findall(r"\$([0-9A-Z-]{8,})", (stage.folder / "codes.yaml").read_text()))
    public = [path for path in runs[-1].rglob("*") if path.is_file() and "private" not in path.parts]
    assert len(public) > 20
    for path in public:
        text = path.read_text(encoding="utf-8")
        assert not [secret for secret in secrets if secret in text], path
    for folder in runs[-1].glob("*/private"):
        assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.programs("tshark")
def test_the_capture_of_a_run(runs: list[Path]) -> None:
    """In a run's capture, tshark finds SELECT to a reader's card and STORE DATA to a modem's card."""
    for name, wanted in (
        ("first-reader", "gsm_sim.apdu.ins == 0xa4"),
        ("one-modem", "gsm_sim.apdu.ins == 0xe2"),
    ):
        done = subprocess.run(
            ["tshark", "-n", "-r", runs[-1] / name / "private" / "apdus.pcap", "-Y", wanted],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert len(done.stdout.splitlines()) > 3, name


@pytest.mark.parametrize("place", EIDS)
def test_the_recorded_cards_are_met_again(runs: list[Path], tmp_path: Path, place: str) -> None:
    """A run's recorded APDUs can be replayed as a card: lpad finds its EID, over any link."""
    record, port = runs[-1] / place / "private" / "apdus.jsonl", tmp_path / "port"
    lpad = [sys.executable, "-m", "lpad.cli.lpad"]
    with subprocess.Popen(
        [*lpad, "sim", "euicc", "--replay", record, "--pty", port], stdout=subprocess.PIPE
    ) as card:
        assert card.stdout is not None
        assert card.stdout.readline().startswith(b"AT port")
        probe = [*lpad, "probe", "--port", str(port), "--json", "--unredacted"]
        done = subprocess.run(probe, capture_output=True, text=True, check=False, timeout=60)
        card.terminate()
    found = json.loads(done.stdout)["probe"]
    assert found["eid"] == EIDS[place], found["error"]


def test_the_page_stands_alone(runs: list[Path]) -> None:
    """The report page loads no other files, so it can be sent as one file."""
    text = (runs[-1] / "report.html").read_text(encoding="utf-8")
    assert not re.findall(r"""(?:src|href)=|url\(|@import|https?://""", text)


@pytest.mark.programs("chromium")
@pytest.mark.parametrize("width", [1200, 500], ids=["a desk's screen", "a phone's"])
def test_the_page_in_a_browser(runs: list[Path], tmp_path: Path, width: int) -> None:
    """In a browser, each element of the report's diagrams has a size and is inside its diagram."""
    text = (runs[-1] / "report.html").read_text(encoding="utf-8")
    page = tmp_path / "report.html"
    page.write_text(text.replace("</body>", MEASURE + "</body>"), encoding="utf-8")
    shown = in_browser(page, width=width)
    title = re.search(r"<title>(.*?)</title>", shown)
    assert title is not None
    assert json.loads(unescape(title[1])) == {"width": 0, "empty": 0, "outside": 0, "pictures": 2}
    for name in EIDS:
        assert shown.count(name) >= 4, "the tile, a picture or the matrix lacks the name"
    assert "get-bound-profile-package" in shown
    assert "Every case ended as in the previous run." in shown
    assert shown.count('class="mark passed"') > 10
