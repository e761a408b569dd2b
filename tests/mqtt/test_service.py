"""lpad-mqtt as its owner sees it: events, states and commands, over a broker with every kind of failure."""

from __future__ import annotations

import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from paho.mqtt.client import Client as PahoClient
from paho.mqtt.enums import CallbackAPIVersion

from lpad.engine.events import event_types
from lpad.engine.events.event_data import CardData
from lpad.engine.events.happening import Happening
from lpad.engine.journal import Journal
from lpad.engine.listeners.listeners import Listeners
from lpad.testing.simulated_gateway import CARD, Gateway
from mqtt.conftest import PATIENCE, Bridge
from mqtt.listener import Listener
from mqtt.mosquitto import Mosquitto
from mqtt.tls_files import TlsFiles

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad import client

pytestmark = pytest.mark.programs("mosquitto")

HEALTH = "lpad/gw/health"
STATE = f"lpad/gw/cards/{CARD}"
ENABLED = "org.lpad.profile.enabled.v1"


def installed(gateway: Gateway) -> str:
    """Install a profile and return its ICCID."""
    change = gateway.download(gateway.order_profile())
    assert change.result is not None
    iccid: str = change.result["iccid"]
    return iccid


def numbers(backend: Listener) -> list[int]:
    return [int(each["sequence"]) for each in backend.events()]


def types(backend: Listener) -> list[str]:
    return [each["type"] for each in backend.events()]


def test_events_and_states_reach_the_broker(gateway: Gateway, broker: Mosquitto, tmp_path: Path) -> None:
    """Events arrive in order on the topics of their types; the states of card and lpad-mqtt are retained."""
    with Listener(broker.port) as backend, Bridge(tmp_path / "b", broker, gateway.socket) as bridge:
        backend.until(lambda: backend.at(HEALTH))
        iccid = installed(gateway)
        gateway.client.enable(CARD, iccid, wait=PATIENCE).check()
        backend.until(lambda: ENABLED in types(backend))
        backend.until(lambda: backend.at(STATE)[-1].get("enabled") == iccid)
        (event,) = backend.at(f"lpad/gw/events/{ENABLED}")
        assert event["data"]["iccid"] == iccid
        assert event["data"]["eid"] == str(gateway.card.eid)
        assert event["specversion"] == "1.0"
        found = numbers(backend)
        assert found == sorted(set(found))
        # A later subscriber gets the retained states, and no event.
        with Listener(broker.port, name="late") as late:
            late.until(lambda: late.at(STATE) and late.at(HEALTH))
            assert late.at(STATE)[-1]["enabled"] == iccid
            assert late.at(HEALTH) == [{"status": "up"}]
            assert late.events() == []
            assert bridge.stop() == 0
            late.until(lambda: late.at(HEALTH)[-1] == {"status": "down"})


def test_the_last_will_reports_a_sudden_end(gateway: Gateway, broker: Mosquitto, tmp_path: Path) -> None:
    """If lpad-mqtt is killed, the broker publishes that lpad-mqtt is down."""
    with Listener(broker.port) as backend, Bridge(tmp_path / "b", broker, gateway.socket) as bridge:
        backend.until(lambda: backend.at(HEALTH) == [{"status": "up"}])
        bridge.stop(signal.SIGKILL)
        backend.until(lambda: backend.at(HEALTH)[-1] == {"status": "down"})


def test_nothing_is_lost_across_restarts(gateway: Gateway, broker: Mosquitto, tmp_path: Path) -> None:
    """Events survive a restart of the broker, lpad-mqtt or lpad, even if they occur during the restart."""
    with Bridge(tmp_path / "b", broker, gateway.socket) as bridge, Listener(broker.port) as backend:
        iccid = installed(gateway)
        backend.until(lambda: "org.lpad.profile.installed.v1" in types(backend))
        broker.kill()
        gateway.client.enable(CARD, iccid, wait=PATIENCE).check()
        with bridge.held():
            backend.subscribed_again(broker.start)
        backend.until(lambda: ENABLED in types(backend))
        bridge.stop(signal.SIGKILL)
        gateway.client.disable(CARD, iccid, wait=PATIENCE).check()
        bridge.start()
        backend.until(lambda: "org.lpad.profile.disabled.v1" in types(backend))
        gateway.stop()
        gateway.start()
        gateway.client.delete(CARD, iccid, wait=PATIENCE).check()
        backend.until(lambda: "org.lpad.profile.deleted.v1" in types(backend))
        # A repeated event has the same ID, and no number is missing.
        ids = {each["sequence"]: each["id"] for each in backend.events()}
        assert all(ids[each["sequence"]] == each["id"] for each in backend.events())
        found = sorted(set(numbers(backend)))
        assert found == list(range(found[0], found[-1] + 1))


@pytest.fixture
def keeping(request: pytest.FixtureRequest) -> Iterator[Gateway]:
    """A stopped gateway whose outbox of events keeps the given number of events."""
    with Gateway(settings={"events": {"keep": request.param}}) as made:
        made.ready()
        made.stop()
        yield made


def record(gateway: Gateway, count: int, *, most: int) -> dict[str, int]:
    """Write events to a stopped daemon's outbox; return the numbers of dropped ones, by type."""
    journal = Journal(gateway.folder / "state" / "journal.db")
    journal.events.most = most
    listeners = Listeners(journal)
    listeners.load()
    journal.events.awaited_by.append(lambda number, _: listeners.awaits(number))
    happening = Happening(type=event_types.CARD_FAULTY, data=CardData(euicc=CARD, cause="test"))
    for _ in range(count // 100):
        journal.events.record([happening] * 100)
    dropped = journal.events.dropped()
    journal.close()
    return dropped


@pytest.mark.parametrize("keeping", [20_000], indirect=True)
def test_ten_thousand_events(keeping: Gateway, broker: Mosquitto, tmp_path: Path) -> None:
    """Ten thousand events arrive in order, and each arrives once."""
    record(keeping, 10_000, most=20_000)
    keeping.start()
    with Listener(broker.port) as backend, Bridge(tmp_path / "b", broker, keeping.socket) as bridge:
        backend.until(lambda: len(backend.events_of("test")) >= 10_000)
        found = [int(each["sequence"]) for each in backend.events_of("test")]
        assert found == list(range(found[0], found[0] + 10_000))
        # The broker's last confirmations may arrive after the events.
        backend.until(lambda: bridge.position >= found[-1])
        bridge.stop()
        assert bridge.position >= found[-1]


@pytest.mark.parametrize("keeping", [100], indirect=True)
def test_a_full_outbox_is_reported(keeping: Gateway, broker: Mosquitto, tmp_path: Path) -> None:
    """If lpad's outbox has dropped events, lpad-mqtt logs this, and kept events arrive."""
    broker.stop()
    record(keeping, 300, most=100)
    keeping.start()
    with Bridge(tmp_path / "b", broker, keeping.socket) as bridge:
        bridge.until_logged("events were no longer in lpad's outbox")
        broker.start()
        with Listener(broker.port) as backend:
            backend.until(lambda: backend.events_of("test"))


@pytest.mark.parametrize("keeping", [100], indirect=True)
def test_lpad_mqtt_is_one_of_lpads_endpoints(keeping: Gateway, broker: Mosquitto, tmp_path: Path) -> None:
    """The position of lpad-mqtt as a listener survives restarts; an event reports that events were missed."""

    def shown() -> client.Listener:
        (found,) = keeping.client.listeners.all()
        return found

    keeping.start()
    keeping.ready()
    with Bridge(tmp_path / "b", broker, keeping.socket) as bridge, Listener(broker.port) as backend:
        installed(keeping)
        backend.until(lambda: "org.lpad.profile.installed.v1" in types(backend))
        assert (shown().name, shown().connected) == ("lpad-mqtt", True)
        backend.until(lambda: shown().pending == 0)  # The connection was not interrupted.
        confirmed = shown().position
        bridge.stop(signal.SIGKILL)
        backend.until(lambda: not shown().connected)
        keeping.stop()
        dropped = record(keeping, 300, most=100)
        assert dropped[event_types.CARD_FAULTY.name] > 100
        keeping.start()
        assert shown().position == confirmed
        assert 90 <= (shown().pending or 0) <= 100
        bridge.start()
        bridge.until_logged("events were no longer in lpad's outbox")
        backend.until(lambda: "org.lpad.events.dropped.v1" in types(backend))
        backend.until(lambda: shown().pending == 0)
        # While the broker is away, lpad-mqtt does not acknowledge events that it has only read, even after
        # reconnecting.
        broker.kill()
        confirmed = shown().position
        iccid = keeping.client.profiles(CARD)[0].iccid
        keeping.client.enable(CARD, iccid, wait=PATIENCE).check()
        keeping.stop()
        keeping.start()
        backend.until(lambda: shown().connected)
        assert shown().position == confirmed
        assert shown().pending
        with bridge.held():
            backend.subscribed_again(broker.start)
        backend.until(lambda: ENABLED in types(backend))
        backend.until(lambda: shown().pending == 0)


def test_a_wrong_password(gateway: Gateway, tmp_path: Path) -> None:
    """The log does not show a refused password; with the right one lpad-mqtt connects."""
    passwords = tmp_path / "passwords"
    _set_password(passwords, "gateway", "right one")
    _set_password(passwords, "backend", "b", create=False)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "secret").write_text("wrong one\n")
    with (
        Mosquitto(tmp_path / "broker", f"password_file {passwords}", anonymous=False) as broker,
        Bridge(tmp_path / "b", broker, gateway.socket, username="gateway", password_file="secret") as bridge,
    ):
        bridge.until_logged("refused the connection")
        assert "wrong one" not in bridge.log
        bridge.stop()
        (tmp_path / "b" / "secret").write_text("right one\n")
        bridge.start()
        with Listener(broker.port, username="backend", password="b") as backend:
            backend.until(lambda: backend.at(HEALTH))


def _set_password(path: Path, user: str, password: str, *, create: bool = True) -> None:
    subprocess.run(
        ["mosquitto_passwd", "-b", *(["-c"] if create else []), str(path), user, password],
        check=True,
        capture_output=True,
    )


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_brokers_of_both_versions_are_served(
    gateway: Gateway, broker: Mosquitto, tmp_path: Path, version: str
) -> None:
    """Lpad-mqtt sends events and states over MQTT 5 and over MQTT 3.1.1."""
    with Listener(broker.port) as backend, Bridge(tmp_path / "b", broker, gateway.socket, version=version):
        backend.until(lambda: backend.at(HEALTH))
        iccid = installed(gateway)
        backend.until(lambda: "org.lpad.profile.installed.v1" in types(backend))
        backend.until(
            lambda: any(each["iccid"] == iccid for each in backend.at(STATE)[-1].get("profiles", []))
        )
    assert f"lpad-test (p{5 if version == '5' else 2}, c" in broker.logged()


def test_a_refusing_access_list(gateway: Gateway, tmp_path: Path) -> None:
    """Events that the broker's access list refuses are sent, without a gap, once the list is corrected."""
    access = tmp_path / "acl"
    access.write_text("topic readwrite lpad/gw/health\ntopic read #\n")
    with (
        Mosquitto(tmp_path / "broker", f"acl_file {access}") as broker,
        Listener(broker.port) as backend,
        Bridge(tmp_path / "b", broker, gateway.socket) as bridge,
    ):
        installed(gateway)
        bridge.until_logged("cannot send an event")
        assert backend.events() == []
        access.write_text("topic readwrite #\n")
        with bridge.held():
            broker.stop()
            backend.subscribed_again(broker.start)
        backend.until(lambda: "org.lpad.profile.installed.v1" in types(backend))
        found = sorted(set(numbers(backend)))
        assert found == list(range(found[0], found[-1] + 1))


def test_a_session_that_is_taken_over(gateway: Gateway, broker: Mosquitto, tmp_path: Path) -> None:
    """If another client takes over its client ID, lpad-mqtt logs the likely reason, and then reconnects."""
    with Listener(broker.port) as backend, Bridge(tmp_path / "b", broker, gateway.socket) as bridge:
        backend.until(lambda: backend.at(HEALTH))
        thief = PahoClient(CallbackAPIVersion.VERSION2, client_id="lpad-test", reconnect_on_failure=False)
        thief.connect("127.0.0.1", broker.port)
        thief.loop_start()
        bridge.until_logged("client may use the client ID 'lpad-test'")
        thief.loop_stop()
        installed(gateway)
        backend.until(lambda: "org.lpad.profile.installed.v1" in types(backend))


def test_the_brokers_certificate_is_checked(gateway: Gateway, tmp_path: Path) -> None:
    """Lpad-mqtt does not connect to a broker with an untrusted certificate, and shows its own certificate."""
    files = TlsFiles.make(tmp_path / "tls")
    lines = (f"cafile {files.ca}", f"certfile {files.server}", f"keyfile {files.server_key}")
    tls: dict[str, Any] = {"ca": str(files.ca)}
    client = {"certificate": str(files.client), "key": str(files.client_key)}
    with Mosquitto(tmp_path / "broker", *lines, "require_certificate true") as broker:
        url = f"mqtts://localhost:{broker.port}"
        refused = [
            ({"ca": str(files.other_ca)} | client, "its certificate is not accepted"),
            (tls, "the connection to the broker"),
        ]
        for number, (wrong, told) in enumerate(refused):
            with Bridge(tmp_path / f"b{number}", broker, gateway.socket, broker=url, tls=wrong) as bridge:
                bridge.until_logged(told)
                assert "connected to" not in bridge.log
        with Bridge(tmp_path / "right", broker, gateway.socket, broker=url, tls=tls | client) as bridge:
            bridge.until_logged("connected to")


def test_redacted_messages_contain_no_whole_identifier(
    gateway: Gateway, broker: Mosquitto, tmp_path: Path
) -> None:
    """With `identifiers: redacted`, no message contains a whole EID or ICCID."""
    with (
        Listener(broker.port) as backend,
        Bridge(tmp_path / "b", broker, gateway.socket, identifiers="redacted"),
    ):
        backend.until(lambda: backend.at(HEALTH))
        iccid = installed(gateway)
        backend.until(lambda: "org.lpad.profile.installed.v1" in types(backend))
        backend.until(lambda: backend.at(STATE)[-1].get("profiles"))
        said = b"".join(payload for _, payload, _ in backend.messages)
        assert iccid.encode() not in said
        assert str(gateway.card.eid).encode() not in said
        assert f"…{iccid[-4:]}".encode() in said


def test_each_card_is_a_sensor_in_home_assistant(gateway: Gateway, broker: Mosquitto, tmp_path: Path) -> None:
    """With `home_assistant`, a card has a discovery message whose topics exist."""
    with (
        Listener(broker.port) as backend,
        Bridge(tmp_path / "b", broker, gateway.socket, home_assistant=True),
    ):
        topic = f"homeassistant/sensor/lpad_lpad_gw_{CARD}/config"
        (found,) = backend.until(lambda: backend.at(topic))
        backend.until(lambda: backend.at(found["state_topic"]) and backend.at(found["availability_topic"]))


def test_wrong_settings_end_the_service(tmp_path: Path, broker: Mosquitto) -> None:
    """Wrong settings end lpad-mqtt with exit code 78 and a log line for each mistake."""
    bridge = Bridge(
        tmp_path / "b", broker, tmp_path / "lpad.sock", broker="mqtt://broker.example.com", colour=1
    )
    bridge.start()
    assert bridge.process is not None
    assert bridge.process.wait(PATIENCE) == 78
    assert "'broker': a broker that is not on this device needs mqtts://" in bridge.log
    assert "'colour': there is no such setting" in bridge.log
