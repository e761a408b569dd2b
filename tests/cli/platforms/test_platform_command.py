"""`lpad platform` and `lpad sim platform`, run as processes."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from lpad.engine.provisioning.wish_record import WishRecord
from lpad.simulator.platform.faults import PlatformFault
from lpad.simulator.platform.server import SimulatedPlatform
from lpad.simulator.platform.smdp_orders import SmdpShelf
from lpad.simulator.smdp.store.orders import Orders

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki

EID = "89049032123451234512345678901235"


def lpad(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run lpad with the given arguments; return its output and exit code."""
    command = [sys.executable, "-m", "lpad.cli.lpad", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def desk(tmp_path: Path, pki: Pki) -> Iterator[SimulatedPlatform]:
    """Yield a simulated desk, which the settings in the test's folder name."""
    shelf = SmdpShelf(Orders(tmp_path / "orders"), address=lambda: "smdp.example.com")
    with SimulatedPlatform("desk", pki=pki, shelf=shelf) as server:
        (tmp_path / "ca.der").write_bytes(next(iter(pki.ci.values())).der)
        (tmp_path / "key").write_text(server.credentials["key"])
        (tmp_path / "key").chmod(0o600)
        section = {"like": "desk", "base": server.base, "credentials": {"key": "key"}, "ca_files": ["ca.der"]}
        settings: dict[str, Any] = {"platforms": {"mine": section}, "remote": {"hosts": server.hosts}}
        (tmp_path / "lpad.yaml").write_text(json.dumps(settings))
        yield server


def test_check_reports_each_mistake_of_a_file(tmp_path: Path) -> None:
    """A valid file is accepted; a wrong one gets a line for each mistake, and exit code 2."""
    assert lpad("platform", "check", "kore").returncode == 0
    path = tmp_path / "mine.yaml"
    path.write_text("like: twilio\nprofile: {new: null}\n")
    done = lpad("platform", "check", str(path))
    assert done.returncode == 2
    assert "the state 'new' is in no table" in done.stderr


def test_list_and_products(desk: SimulatedPlatform, tmp_path: Path) -> None:
    """The commands list the settings' platforms, those shipped with lpad, and the products with prices."""
    config = ("--config", str(tmp_path / "lpad.yaml"))
    listed = lpad("platform", "list", *config).stdout
    assert "mine" in listed
    assert "soracom" in listed
    assert "lists products, lines: show/activate/suspend/retire" in " ".join(listed.split())
    assert "activates lines before the download" in " ".join(listed.split())
    products = lpad("platform", "products", "mine", *config)
    assert "global-1gb" in products.stdout, products.stderr
    assert "4.20 EUR" in products.stdout
    assert lpad("platform", "products", "other", *config).returncode == 3


def test_try_reads_only(desk: SimulatedPlatform, tmp_path: Path) -> None:
    """`platform try` queries a platform, orders nothing, and records the exchange with masked secrets."""
    desk.stock.order(eid=EID, reference=WishRecord(platform="mine").reference(EID))
    record = tmp_path / "record.json"
    arguments = ("--eid", EID, "--config", str(tmp_path / "lpad.yaml"), "--record", str(record))
    for _ in range(2):
        done = lpad("platform", "try", "mine", *arguments)
    assert done.returncode == 0, done.stderr
    assert "profile available, line idle" in done.stdout
    assert {each.method for each in desk.requests} == {"GET"}
    assert desk.orders == 1
    kept = record.read_text()
    assert record.stat().st_mode & 0o777 == 0o600
    assert desk.credentials["key"] not in kept
    assert "smdp.example.com$" not in kept
    first = json.loads(kept)[0]
    assert first["request"]["headers"]
    assert first["answer"]["status"] == 200
    assert EID in kept


@pytest.mark.parametrize(("wrong", "told"), [(False, "answers and lists 1 products"), (True, "credentials")])
def test_try_a_platform_that_finds_nothing(tmp_path: Path, pki: Pki, *, wrong: bool, told: str) -> None:
    """If the search finds nothing, lpad also asks for the products, so that a wrong key is noticed."""
    shelf = SmdpShelf(Orders(tmp_path / "orders"), address=lambda: "smdp.example.com")
    with SimulatedPlatform("yoni", pki=pki, shelf=shelf) as yoni:
        (tmp_path / "ca.der").write_bytes(next(iter(pki.ci.values())).der)
        (tmp_path / "lpad.yaml").write_text(json.dumps({"remote": {"hosts": yoni.hosts}}))
        credentials = []
        for name, value in yoni.credentials.items():
            (tmp_path / name).write_text("wrong" if wrong else value)
            (tmp_path / name).chmod(0o600)
            credentials += ["--credential", f"{name}={tmp_path / name}"]
        where = ("--base", yoni.base, "--ca-file", str(tmp_path / "ca.der"))
        config = ("--config", str(tmp_path / "lpad.yaml"))
        done = lpad("platform", "try", "yoni", "--eid", EID, *config, *where, *credentials)
        assert told in done.stdout + done.stderr
        assert done.returncode == (6 if wrong else 0)
        assert yoni.orders == 0


def test_try_a_platform_that_cannot_be_asked(desk: SimulatedPlatform, tmp_path: Path) -> None:
    """If a file has no call that only reads, the command states that nothing was asked."""
    path = tmp_path / "mute.yaml"
    path.write_text("like: desk\ntitle: Mute\ncan: {finds: nothing}\ncalls: {find: null, products: null}\n")
    more = ("--base", desk.base, "--credential", f"key={tmp_path / 'key'}")
    done = lpad("platform", "try", str(path), "--eid", EID, *more, "--config", str(tmp_path / "none.yaml"))
    assert "nothing was asked" in done.stdout, done.stderr
    assert desk.requests == []


def test_try_a_file(desk: SimulatedPlatform, tmp_path: Path) -> None:
    """A description outside of the settings is tried with the options of the command line."""
    path = tmp_path / "own-desk.yaml"
    path.write_text("like: desk\ntitle: Own desk\n")
    desk.stock.order(eid=EID, reference=WishRecord(platform="own-desk").reference(EID))
    settings = {"remote": {"hosts": desk.hosts}}
    (tmp_path / "bare.yaml").write_text(json.dumps(settings))
    more = (
        "--config",
        str(tmp_path / "bare.yaml"),
        "--ca-file",
        str(tmp_path / "ca.der"),
        "--base",
        desk.base,
    )
    key = ("--credential", f"key={tmp_path / 'key'}")
    done = lpad("platform", "try", str(path), "--eid", EID, *more, *key)
    assert done.returncode == 0, done.stderr
    assert "profile pending, line idle" in done.stdout
    assert {each.method for each in desk.requests} == {"GET"}
    without = lpad("platform", "try", str(path), "--eid", EID, *more)
    assert without.returncode == 2
    assert "credential" in without.stderr
    shipped = lpad("platform", "try", "desk", "--eid", EID, *more, *key)
    assert "answers, and has no reservation for this card" in shipped.stdout
    missing = lpad("platform", "try", "nothing", "--eid", EID, *more)
    assert missing.returncode == 3
    assert "neither a file" in missing.stderr


def test_try_a_file_of_the_settings(desk: SimulatedPlatform, tmp_path: Path) -> None:
    """A description that the settings name is tried with the settings' address and credentials."""
    path = tmp_path / "own-desk.yaml"
    path.write_text("like: desk\ntitle: Own desk\n")
    settings = json.loads((tmp_path / "lpad.yaml").read_text())
    section = settings["platforms"]["mine"]
    del section["like"]
    section["file"] = "own-desk.yaml"
    (tmp_path / "lpad.yaml").write_text(json.dumps(settings))
    done = lpad("platform", "try", str(path), "--eid", EID, "--config", str(tmp_path / "lpad.yaml"))
    assert "the platform 'mine' answers" in done.stdout, done.stderr


def test_try_reports_the_platforms_reason_for_a_refusal(desk: SimulatedPlatform, tmp_path: Path) -> None:
    """If a platform refuses the key, the error has the platform's reason, and the record is still written."""
    desk.faults.add(PlatformFault.TOKEN_EXPIRED, call="find", times=0)
    record = tmp_path / "record.json"
    config = str(tmp_path / "lpad.yaml")
    done = lpad("platform", "try", "mine", "--eid", EID, "--config", config, "--record", str(record))
    assert done.returncode == 6
    assert "this key does not belong to a device" in done.stderr
    assert json.loads(record.read_text())[0]["answer"]["status"] == 401


def test_a_captured_callback_is_verified(tmp_path: Path) -> None:
    """`platform verify` checks a captured callback with files for its body and the secret."""
    body = tmp_path / "body"
    body.write_bytes(b"a=1")
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    digest = hashlib.sha256(b"s3cretPOSThttps://desk.example.com/a=1").hexdigest()
    command = ("platform", "verify", "kore", str(body), "--secret-file", str(secret))
    url = ("--url", "https://desk.example.com/")
    assert "valid" in lpad(*command, *url, "--header", f"kore-signature: {digest}").stdout
    wrong = lpad(*command, *url, "--header", f"kore-signature: {base64.b16encode(b'x' * 32).decode()}")
    assert wrong.returncode == 2
    assert "the signature is wrong" in wrong.stderr


def test_the_simulated_platform_prints_settings_that_work(tmp_path: Path) -> None:
    """The simulated platform prints settings that work as they are, and ends on SIGTERM."""
    command = [
        sys.executable,
        "-m",
        "lpad.cli.lpad",
        "sim",
        "platform",
        str(tmp_path / "smdp"),
        "--like",
        "kore",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert "platform like kore on 127.0.0.1:" in process.stdout.readline()
            config = tmp_path / "lpad.yaml"
            lines = [process.stdout.readline() for _ in range(11)]
            config.write_text("".join(lines))
            tried = lpad("platform", "try", "my_kore", "--eid", EID, "--config", str(config))
            assert "the platform 'my_kore' answers" in tried.stdout, (tried.stderr, lines)
        finally:
            process.terminate()
    assert process.returncode == 0
    secret = tmp_path / "smdp" / "platform-kore" / "client_secret"
    assert secret.stat().st_mode & 0o777 == 0o600
