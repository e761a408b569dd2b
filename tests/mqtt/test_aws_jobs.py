"""The recipe for AWS IoT Jobs: the example agent between a double of the service and lpad-mqtt."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest
from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from lpad.testing.simulated_gateway import CARD, Gateway
from mqtt.conftest import PATIENCE, Bridge
from mqtt.listener import Listener

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from mqtt.mosquitto import Mosquitto

pytestmark = pytest.mark.programs("mosquitto")

AGENT = Path(__file__).parents[2] / "examples" / "aws_jobs_agent.py"
THING = "gateway-17"
ENDED = ("SUCCEEDED", "FAILED", "REJECTED", "TIMED_OUT", "CANCELED", "REMOVED")
_NAME = re.compile(r"[a-zA-Z0-9:_-]{1,128}")
_VALUE = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,1024}")


class JobsService:
    """A double of AWS IoT Jobs by its reference, on a local broker: one thing and its executions."""

    def __init__(self, port: int) -> None:
        self.executions: list[dict[str, Any]] = []
        self.states: dict[str, list[str]] = {}
        self._news = threading.Condition()
        self._ready = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="aws", protocol=MQTTv5)
        self._client.on_message = self._received
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._port = port

    def __enter__(self) -> Self:
        self._client.connect("127.0.0.1", self._port)
        self._client.subscribe(
            [(f"$aws/things/{THING}/jobs/{name}", 1) for name in ("start-next", "+/update")]
        )
        self._client.loop_start()
        assert self._ready.wait(PATIENCE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def create(self, job: str, document: dict[str, Any], *, number: int = 1) -> None:
        """Queue an execution of a job, and notify the thing."""
        with self._news:
            self.states[f"{job}-{number}"] = ["QUEUED"]
            self.executions.append(
                {"jobId": job, "executionNumber": number, "status": "QUEUED", "jobDocument": document}
            )
            self._publish("notify-next", {"execution": self._next()})

    def cancel(self, job: str) -> None:
        """Cancel the latest execution of a job, and notify the thing of the next one."""
        with self._news:
            self._find(job)["status"] = "CANCELED"
            following = self._next()
            self._publish("notify-next", {"execution": following} if following else {})

    def until(self, job: str, *statuses: str, number: int = 1) -> dict[str, Any]:
        """Return a job's execution once it has one of the given states."""
        end = time.monotonic() + PATIENCE
        with self._news:
            while True:
                found = self._find(job, number)
                if found["status"] in statuses:
                    return found
                assert time.monotonic() < end, self.executions
                self._news.wait(1)

    def _find(self, job: str, number: int | None = None) -> dict[str, Any]:
        return next(
            each
            for each in reversed(self.executions)
            if each["jobId"] == job and number in (None, each["executionNumber"])
        )

    def _next(self) -> dict[str, Any] | None:
        pending = [each for each in self.executions if each["status"] not in ENDED]
        return min(pending, key=lambda each: each["status"] != "IN_PROGRESS", default=None)

    def _received(self, _: Client, __: object, message: MQTTMessage) -> None:
        name = message.topic.removeprefix(f"$aws/things/{THING}/jobs/")
        asked = json.loads(message.payload)
        with self._news:
            if name == "start-next":
                assert 1 <= asked["stepTimeoutInMinutes"] <= 10080
                execution = self._next()
                if execution is not None and execution["status"] == "QUEUED":
                    self._become(execution, "IN_PROGRESS")
                self._publish("start-next/accepted", {"execution": execution} if execution else {})
                return
            job = name.partition("/")[0]
            execution = self._find(job)
            if execution["status"] in ENDED:
                self._publish(f"{job}/update/rejected", {"code": "InvalidStateTransition"})
                return
            for key, value in asked["statusDetails"].items():
                assert _NAME.fullmatch(key), key
                assert isinstance(value, str), value
                assert _VALUE.fullmatch(value), value
            execution["statusDetails"] = asked["statusDetails"]
            self._become(execution, asked["status"])
            self._publish(f"{job}/update/accepted", {})

    def _become(self, execution: dict[str, Any], status: str) -> None:
        execution["status"] = status
        self.states[f"{execution['jobId']}-{execution['executionNumber']}"].append(status)
        self._news.notify_all()

    def _publish(self, topic: str, content: dict[str, Any]) -> None:
        self._client.publish(f"$aws/things/{THING}/jobs/{topic}", json.dumps(content), qos=1)


@contextmanager
def agent(folder: Path, port: int) -> Iterator[None]:
    """Run the example agent until the block ends, with a program `lpactl` that only records its arguments."""
    broker = {"host": "127.0.0.1", "port": port}
    settings = folder / "agent.json"
    settings.write_text(json.dumps({"thing": THING, "prefix": "lpad/gw", "aws": broker, "local": broker}))
    tools = folder / "bin"
    tools.mkdir(exist_ok=True)
    (tools / "lpactl").write_text(f'#!/bin/sh\necho "$@" >> {folder}/asked\n')
    (tools / "lpactl").chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, str(AGENT), str(settings)], env={"PATH": f"{tools}:/bin:/usr/bin"}
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)


def test_jobs_are_carried_out_as_commands(gateway: Gateway, broker: Mosquitto, tmp_path: Path) -> None:
    """The agent sends jobs as commands, and reports their states with details that AWS accepts."""
    code = gateway.order_profile()
    download = {"operation": "download", "activation_code": code, "enable": True}
    with (
        JobsService(broker.port) as aws,
        Listener(broker.port) as backend,
        Bridge(tmp_path / "b", broker, gateway.socket, commands=["download", "enable", "refresh"]),
    ):
        backend.until(lambda: backend.at("lpad/gw/cmd/refresh") == [{}])
        aws.create("esim-42", download)
        with agent(tmp_path, broker.port):
            ended = aws.until("esim-42", *ENDED)
            (profile,) = gateway.client.profiles(CARD)
            assert (ended["status"], ended["statusDetails"]["iccid"]) == ("SUCCEEDED", profile.iccid)
            assert profile.state == "enabled"
            assert int(ended["statusDetails"]["change"]) > 0
            assert [*dict.fromkeys(aws.states["esim-42-1"])] == ["QUEUED", "IN_PROGRESS", "SUCCEEDED"]
            topic = "lpad/gw/cmd/download/esim-42-1"
            backend.until(lambda: backend.messages[-1][:2] == (topic, b"") or _removed(backend, topic))

            aws.create("esim-43", {"operation": "enable", "profile": "8944999999999999999"})
            failed = aws.until("esim-43", *ENDED)
            assert (failed["status"], failed["statusDetails"]["kind"]) == ("FAILED", "not-found")
            assert "the card contains no profile" in failed["statusDetails"]["reason"]

            aws.create("esim-43", {"operation": "refresh"}, number=2)
            assert aws.until("esim-43", *ENDED, number=2)["status"] == "SUCCEEDED"

            aws.create("esim-44", {"operation": "provision", "platform": "my_desk"})
            refused = aws.until("esim-44", *ENDED)
            assert refused["status"] == "REJECTED"
            assert refused["statusDetails"]["reason"] == "lpad-mqtt allows download, enable, refresh"
        assert [each.kind for each in gateway.client.changes()].count("download") == 1


def _removed(backend: Listener, topic: str) -> bool:
    return any(at == topic and not payload for at, payload, _ in list(backend.messages))


def test_the_agent_and_lpad_mqtt_are_lost_meanwhile(
    gateway: Gateway, broker: Mosquitto, tmp_path: Path
) -> None:
    """A waiting job survives restarts of agent and lpad-mqtt; a cancelled job cancels its change."""
    first, second = gateway.install_profile(enable=True), gateway.install_profile()
    enable = {"operation": "enable", "profile": second, "guard": ["confirm"], "within": 600}
    with (
        JobsService(broker.port) as aws,
        Listener(broker.port) as backend,
        Bridge(tmp_path / "b", broker, gateway.socket, commands=["enable", "refresh"]) as bridge,
    ):
        backend.until(lambda: backend.at("lpad/gw/cmd/enable") == [{}])
        topic = "lpad/gw/cmd/enable/esim-45-1"

        def questions() -> list[str]:
            return [each["change"] for each in backend.at(topic) if each.get("question") == "confirmation"]

        with agent(tmp_path, broker.port):
            aws.create("esim-45", enable)
            backend.until(questions)
        bridge.stop()
        bridge.start()
        with agent(tmp_path, broker.port):
            change = backend.until(questions)[0]
            gateway.client.confirm(change, wait=PATIENCE).check()
            assert aws.until("esim-45", *ENDED)["status"] == "SUCCEEDED"
            assert [each.kind for each in gateway.client.changes()].count("enable") == 1

            aws.create("esim-46", {**enable, "profile": first})
            topic = "lpad/gw/cmd/enable/esim-46-1"
            change = backend.until(questions)[0]
            aws.cancel("esim-46")
            backend.until(lambda: _removed(backend, topic))
            assert (tmp_path / "asked").read_text() == f"cancel {change}\n"
            assert aws.states["esim-46-1"][-1] == "IN_PROGRESS", "a state was reported after the job's end"
