"""lpactl doctor prints one page with verdicts, which identifies neither card, device nor subscriber."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.conftest import Terminal
from engine.lab import CARD, FIRST
from lpad.cli.terminal import exit_codes
from lpad.engine.change.change import Kind

if TYPE_CHECKING:
    from pathlib import Path

    from cli.conftest import Finished

SECRETS = ("geheim-apn-password", "MATCHING-ID-4711")


def page(terminal: Terminal, folder: Path, *arguments: str) -> Finished:
    config = folder / "settings.yaml"
    if not config.exists():
        config.write_text(
            "euiccs:\n  modem:\n    port: /dev/null\n    baud: 9600\n"
            "network:\n  patterns:\n    - iccid: '8900'\n      apn: internet\n"
            f"      username: someone\n      password: {SECRETS[0]}\n      authentication: pap\n",
            encoding="utf-8",
        )
    return terminal.lpactl("doctor", "--config", str(config), *arguments)


def verdicts(done: Finished) -> dict[str, str]:
    """Return the first verdict on each subject."""
    found: dict[str, str] = {}
    for each in done.json["lines"]:
        found.setdefault(each["about"], each["verdict"])
    return found


def test_a_device_that_is_well(terminal: Terminal, tmp_path: Path) -> None:
    """For a device without problems, each subject has its line, and no problem is reported."""
    terminal.lpactl("default-smdp", str(terminal.lab.server.address)).ok()
    done = page(terminal, tmp_path, "--json")
    assert done.code == 0, done.out
    found = verdicts(done)
    host = str(terminal.lab.server.address).partition(":")[0]
    expected = {
        *("versions", "settings", "daemon", "clock", "journal", "port", f"card {CARD}", f"modem {CARD}"),
        *(f"DNS {host}", f"default SM-DP+ of {CARD}", "failure"),
    }
    assert expected <= found.keys()
    assert found[f"default SM-DP+ of {CARD}"] == "ok"
    assert "wrong" not in found.values(), done.out


def test_a_card_that_is_back_is_shown_as_the_probe_found_it(terminal: Terminal, tmp_path: Path) -> None:
    """If the page's own probe has reached a card, the page does not report the card as absent."""
    lab = terminal.lab
    lab.modem.vanish()
    assert lab.carry_out(Kind.RENAME, iccid=FIRST, nickname="x").error is not None
    lab.until(lambda: lab.engine.snapshot(CARD).error, lambda error: error is not None)
    lab.modem.come_back()
    found = verdicts(page(terminal, tmp_path, "--json"))
    assert (found[f"card {CARD}"], found[f"modem {CARD}"]) == ("ok", "ok")


def test_a_port_that_another_one_replaces(terminal: Terminal, tmp_path: Path) -> None:
    """A missing port is reported as a problem only if no other port of the modem exists."""
    for fallback, verdict in (("/dev/null", "note"), (f"{tmp_path}/wdm0", "wrong")):
        config = f"euiccs:\n  modem:\n    port: {tmp_path}/ttyUSB7\n    fallback_ports: [{fallback}]\n"
        (tmp_path / "settings.yaml").write_text(config, encoding="utf-8")
        lines = page(terminal, tmp_path, "--json").json["lines"]
        missing = [each for each in lines if each["text"].startswith(f"{tmp_path}/ttyUSB7")]
        assert [each["verdict"] for each in missing] == [verdict], lines


def test_no_secret_is_shown(terminal: Terminal, tmp_path: Path) -> None:
    """Settings, cards and failures are shown without passwords, codes and whole identifiers."""
    code = f"LPA:1${terminal.lab.server.address}${SECRETS[1]}"
    change = terminal.lab.submit(Kind.DOWNLOAD, secrets={"activation_code": code})
    assert terminal.lab.ended(change.id).error is not None
    for arguments in ((), ("--json",)):
        text = page(terminal, tmp_path, *arguments).out
        assert f"change {change.id} (download on {CARD})" in text
        assert "network.patterns.0.password" in text
        assert "euiccs.modem.baud=9600" in text
        eid = str(terminal.lab.card.eid)
        assert f", EID {eid[:8]}…{eid[-2:]}" in text
        for secret in (*SECRETS, eid, eid[8:-2], FIRST, "someone"):
            assert secret not in text


def test_problems_have_a_verdict_and_an_exit_code(terminal: Terminal, tmp_path: Path) -> None:
    """An unknown server name and a mistake in the settings get the verdict `wrong` and an exit code."""
    terminal.lpactl("default-smdp", "smdp.does-not-exist.invalid").ok()
    (tmp_path / "settings.yaml").write_text("soket: x\n", encoding="utf-8")
    done = page(terminal, tmp_path, "--json")
    assert done.code == exit_codes.STATE
    found = verdicts(done)
    assert found["settings"] == found["DNS smdp.does-not-exist.invalid"] == "wrong"
    assert found[f"default SM-DP+ of {CARD}"] == "wrong"


def test_without_a_daemon(tmp_path: Path, terminal: Terminal) -> None:
    """Without a daemon, the page reports this, and shows everything that lpactl can check without it."""
    elsewhere = Terminal(terminal.lab, tmp_path / "none.sock")
    done = page(elsewhere, tmp_path)
    assert done.code == exit_codes.DAEMON
    assert done.out.startswith("wrong   daemon: ")
    assert "ok      versions: lpactl " in done.out
