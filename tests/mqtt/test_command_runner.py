"""Commands from a backend over MQTT: each is carried out once, even across restarts and lost connections."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock

import pytest

from lpad.base.activation_code import ActivationCode
from lpad.mqtt.command_runner import CommandRunner
from lpad.mqtt.mqtt_settings import TopicsSection
from lpad.mqtt.topics import Topics
from lpad.simulator.smds.server import events_of, make_smds
from lpad.testing.simulated_gateway import CARD, Gateway
from mqtt.conftest import PATIENCE, Bridge
from mqtt.listener import Listener
from secret_hunt import HUNT, Hunt

if TYPE_CHECKING:
    from pathlib import Path

    from mqtt.mosquitto import Mosquitto

pytestmark = pytest.mark.programs("mosquitto")

ALL = ["discover", "download", "enable", "provision", "refresh"]


def states(backend: Listener, topic: str) -> list[Any]:
    return [each.get("status") for each in backend.at(topic)]


def outcome(backend: Listener, topic: str) -> dict[str, Any]:
    """Wait until a command has ended, and return its last message."""
    backend.until(lambda: backend.at(topic) and backend.at(topic)[-1]["status"] in ("successful", "failed"))
    return backend.at(topic)[-1]


def test_a_profile_is_downloaded_and_enabled(gateway: Gateway, broker: Mosquitto, tmp_path: Path) -> None:
    """A download and a switch succeed by command; the broker keeps the result, but not the code."""
    with Listener(broker.port) as backend, Bridge(tmp_path / "b", broker, gateway.socket, commands=ALL):
        topic = "lpad/gw/cmd/download/1"
        code = gateway.order_profile()
        backend.publish(topic, {"status": "init", "activation_code": code, "ticket": "T-17"})
        ended = outcome(backend, topic)
        assert states(backend, topic) == ["init", "executing", "successful"]
        assert ended["ticket"] == "T-17"
        assert "activation_code" not in ended
        iccid = ended["result"]["iccid"]
        topic = "lpad/gw/cmd/enable/2"
        backend.publish(topic, {"status": "init", "card": CARD, "profile": iccid, "guard": None})
        assert outcome(backend, topic)["status"] == "successful"
        assert gateway.client.profiles(CARD)[0].state == "enabled"
        # These are the broker's retained messages.
        with Listener(broker.port, name="late") as late:
            assert outcome(late, "lpad/gw/cmd/download/1") == ended
            late.until(lambda: late.at("lpad/gw/cmd/refresh") == [{}])


def test_a_backend_discovers(gateway: Gateway, broker: Mosquitto, tmp_path: Path) -> None:
    """A discovery by command lists the event without its ID; with `install`, the profile is installed."""
    with (
        make_smds(tmp_path / "smds", pki=gateway.pki) as smds,
        Listener(broker.port) as backend,
        Bridge(tmp_path / "b", broker, gateway.socket, commands=ALL),
    ):
        code = ActivationCode.parse(gateway.order_profile())
        events_of(smds.folder).register(
            eid=gateway.card.eid.digits, address=gateway.server.address, event_id=code.matching_id
        )
        topic = "lpad/gw/cmd/discover/1"
        backend.publish(topic, {"status": "init", "servers": [smds.address]})
        assert outcome(backend, topic)["result"]["events"] == [
            {"server": gateway.server.address, "listed_by": smds.address, "state": "listed"}
        ]
        topic = "lpad/gw/cmd/discover/2"
        backend.publish(topic, {"status": "init", "servers": [smds.address], "install": True})
        assert outcome(backend, topic)["result"]["events"][0]["state"] == "wanted"
        installed = "lpad/gw/events/org.lpad.profile.installed.v1"
        backend.until(lambda: backend.at(installed))
        assert len(gateway.client.profiles(CARD)) == 1


def test_a_repeated_command_is_carried_out_once(gateway: Gateway, broker: Mosquitto, tmp_path: Path) -> None:
    """A command that is published again is answered with the first change, and not repeated."""
    with (
        Listener(broker.port) as backend,
        Bridge(tmp_path / "b", broker, gateway.socket, commands=ALL) as bridge,
    ):
        topic = "lpad/gw/cmd/download/1"
        command = {"status": "init", "activation_code": gateway.order_profile()}
        backend.publish(topic, command)
        first = outcome(backend, topic)
        bridge.stop()
        backend.publish(topic, command)
        bridge.start()
        backend.until(lambda: states(backend, topic).count("successful") == 2)
        assert backend.at(topic)[-1]["change"] == first["change"]
        assert len(gateway.client.profiles(CARD)) == 1
        assert [each.kind for each in gateway.client.changes()].count("download") == 1


def test_a_command_survives_the_loss_of_everything(
    gateway: Gateway, broker: Mosquitto, tmp_path: Path
) -> None:
    """If broker and lpad-mqtt end during a switch, the result is published once both run again."""
    first, second = gateway.install_profile(enable=True), gateway.install_profile()
    with (
        Listener(broker.port) as backend,
        Bridge(tmp_path / "b", broker, gateway.socket, commands=ALL) as bridge,
    ):
        topic = "lpad/gw/cmd/enable/1"
        command = {"status": "init", "profile": second, "guard": ["confirm"], "within": 600}
        backend.publish(topic, command)
        backend.until(lambda: backend.at(topic)[-1].get("question") == "confirmation")
        change = backend.at(topic)[-1]["change"]
        broker.stop()
        bridge.stop(signal.SIGKILL)
        gateway.client.confirm(change, wait=PATIENCE).check()
        bridge.start()
        broker.start()
        ended = outcome(backend, topic)
        assert (ended["status"], ended["change"]) == ("successful", change)
        assert {each.iccid: each.state for each in gateway.client.profiles(CARD)} == {
            first: "disabled",
            second: "enabled",
        }


@pytest.mark.parametrize(
    ("operation", "command", "kind", "reason"),
    [
        ("enable", {"profile": "8944999999999999999"}, "not-found", ""),
        ("enable", {}, "invalid-request", "missing required field `profile`"),
        ("enable", {"profile": 7}, "invalid-request", "Expected `str`, got `int`"),
        ("enable", {"profile": "8" * 300}, "invalid-request", "length <= 256"),
        ("refresh", {"card": "other"}, "not-found", ""),
        ("provision", {"platform": "nobody"}, "not-found", ""),
        ("download", {"activation_code": "no code"}, "invalid-activation-code", ""),
    ],
)
def test_a_refused_command_fails_with_lpads_sentence(
    gateway_for_all: tuple[Gateway, Listener], operation: str, command: dict[str, Any], kind: str, reason: str
) -> None:
    """A command that lpad refuses fails with the kind and the reason of the error."""
    _, backend = gateway_for_all
    topic = f"lpad/gw/cmd/{operation}/{kind}{len(str(command))}"
    backend.publish(topic, {"status": "init", **command})
    ended = outcome(backend, topic)
    assert (ended["status"], ended["kind"]) == ("failed", kind)
    assert reason in ended["reason"]


def test_an_identifier_in_a_commands_id_is_shortened(
    gateway: Gateway, broker: Mosquitto, tmp_path: Path
) -> None:
    """If a backend uses an ICCID as a command's ID, lpad-mqtt's log shortens the ICCID."""
    with (
        Listener(broker.port) as backend,
        Bridge(tmp_path / "b", broker, gateway.socket, commands=ALL) as bridge,
    ):
        topic = "lpad/gw/cmd/enable/8944999999999999987"
        backend.publish(topic, {"status": "init", "card": "other", "profile": "1"})
        assert outcome(backend, topic)["kind"] == "not-found"
        bridge.until_logged("failed")
        bridge.stop()
        assert "lpad/gw/cmd/enable/…9987" in bridge.log
        assert "8944999999999999987" not in bridge.log


def test_the_hunt_for_secrets_hears_the_log_and_the_messages(
    gateway: Gateway, broker: Mosquitto, tmp_path: Path
) -> None:
    """The hunt for secrets reads lpad-mqtt's log and its messages."""
    logged, published = "PLANTED-7Q2X9V", "PUBLISHED-4K8W3Z"
    with (
        Listener(broker.port) as backend,
        Bridge(tmp_path / "b", broker, gateway.socket, commands=ALL) as bridge,
    ):
        topic = f"lpad/gw/cmd/enable/{logged}"
        backend.publish(topic, {"status": "init", "card": "other", "profile": "1", "note": published})
        assert outcome(backend, topic)["note"] == published
        bridge.until_logged(f"{logged} failed")
        bridge.stop()
        assert published not in bridge.log
        hunt = Hunt()
        hunt.learn("planted", logged)
        hunt.hear(bridge.log)
    assert {found.partition(" in ")[0] for found in hunt.found()} == {"planted"}
    assert HUNT.has_heard(logged), "the hunt has not searched the log"
    assert HUNT.has_heard(published), "the hunt has not searched the messages"


def test_the_log_and_the_messages_contain_no_secret(
    gateway: Gateway, broker: Mosquitto, tmp_path: Path
) -> None:
    """Log and messages contain no codes and no password, even after failed commands."""
    code, password = gateway.order_profile(confirmation_code="Conf-83QX-71"), "Pass-9ZK2-44word"
    file = tmp_path / "password"
    file.write_text(password)
    hunt = Hunt()
    for what, secret in (
        ("matching ID", code.split("$")[2]),
        ("confirmation code", "Conf-83QX-71"),
        ("password", password),
        ("typing error", "MISTYPED-5R7T-CODE"),
    ):
        hunt.learn(what, secret)
    with (
        Listener(broker.port) as backend,
        Bridge(
            tmp_path / "b",
            broker,
            gateway.socket,
            commands=ALL,
            username="gateway",
            password_file=str(file),
        ) as bridge,
    ):
        given = {"activation_code": code, "confirmation_code": "Conf-83QX-71"}
        commands: list[tuple[dict[str, Any], str]] = [
            ({**given, "enable": "now"}, "failed"),
            ({**given, "card": "other"}, "failed"),
            ({**given, "activation_code": "LPA:2$smdp.example.com$MISTYPED-5R7T-CODE"}, "failed"),
            (given, "successful"),
        ]
        for number, (command, status) in enumerate(commands):
            topic = f"lpad/gw/cmd/download/{number}"
            backend.publish(topic, {"status": "init", **command})
            assert outcome(backend, topic)["status"] == status
        (profile,) = gateway.client.profiles(CARD)
        bridge.stop()
        assert "download/1 failed" in bridge.log
        hunt.hear(bridge.log)
        asked = [payload.decode() for _, payload, _ in backend.messages if b'"init"' in payload]
        told = [payload.decode() for _, payload, _ in backend.messages if b'"init"' not in payload]
        hunt.hear("\n".join(told))
        assert hunt.found() == []
        in_log = Hunt()
        in_log.learn("ICCID", profile.iccid)
        in_log.learn("EID", gateway.client.euicc(CARD).eid or "")
        in_log.hear(bridge.log)
        assert in_log.found() == []
        in_log.hear("\n".join(told))
        assert {found.partition(" in ")[0] for found in in_log.found()} == {"ICCID", "EID"}, (
            "it can find them"
        )
        hunt.hear("\n".join(asked) + password)
        assert {found.partition(" in ")[0] for found in hunt.found()} == {
            "matching ID",
            "confirmation code",
            "password",
            "typing error",
        }, "it can find them"


def test_only_allowed_operations(gateway: Gateway, broker: Mosquitto, tmp_path: Path) -> None:
    """Lpad-mqtt carries out only the operations that the settings name."""
    with (
        Listener(broker.port) as backend,
        Bridge(tmp_path / "b", broker, gateway.socket, commands=["refresh"]),
    ):
        code = gateway.order_profile()
        backend.until(lambda: backend.at("lpad/gw/cmd/refresh"))
        backend.publish("lpad/gw/cmd/download/1", {"status": "init", "activation_code": code})
        backend.publish("lpad/gw/cmd/refresh/1", {"status": "init"})
        assert outcome(backend, "lpad/gw/cmd/refresh/1")["status"] == "successful"
        assert states(backend, "lpad/gw/cmd/download/1") == ["init"]
        assert "lpad/gw/cmd/download" not in [topic for topic, _, _ in backend.messages]
        assert gateway.client.profiles(CARD) == []


def test_thin_edges_topics(gateway: Gateway, broker: Mosquitto, tmp_path: Path) -> None:
    """With the preset `thin-edge`, lpad-mqtt uses the topics of thin-edge.io."""
    settings = {"topics": {"preset": "thin-edge"}, "commands": ["refresh"]}
    with Listener(broker.port) as backend, Bridge(tmp_path / "b", broker, gateway.socket, **settings):
        backend.until(lambda: backend.at("te/device/main///cmd/esim_refresh") == [{}])
        backend.until(
            lambda: backend.at("te/device/main/service/lpad-mqtt/status/health") == [{"status": "up"}]
        )
        backend.until(lambda: backend.at(f"te/device/main///twin/esim_{CARD}"))
        topic = "te/device/main///cmd/esim_refresh/c8y-1"
        backend.publish(topic, {"status": "init"})
        assert outcome(backend, topic)["status"] == "successful"
        backend.publish(topic, None)
        gateway.install_profile()
        backend.until(lambda: backend.at("te/device/main///e/org.lpad.profile.installed.v1"))
        assert states(backend, topic) == ["init", "executing", "successful"]


@pytest.mark.parametrize(
    "payload", [b"[" * 20_000, b'{"a":' * 5_000, b"\xff", b'{"card": "\\ud800"}', b"1" * 6_000]
)
def test_an_unreadable_command_fails_in_its_own_message(payload: bytes) -> None:
    """A command whose bytes cannot be parsed is queued as an empty command."""
    topics = Topics.of(TopicsSection())
    runner = CommandRunner(MagicMock(), MagicMock(), topics, {"enable"})
    topic = f"{topics.operation('enable')}/7"
    runner.received(topic, payload)
    assert runner._waiting.get_nowait() == (topic, {})
