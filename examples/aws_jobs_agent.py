"""Carry out AWS IoT jobs as commands of lpad-mqtt; needs paho-mqtt (Debian: python3-paho-mqtt).

    python3 aws_jobs_agent.py SETTINGS.json

    {"thing": "gateway-17", "prefix": "lpad/gateway-17",
     "aws":   {"host": "….iot.eu-central-1.amazonaws.com", "port": 8883, "ca": "AmazonRootCA1.pem",
               "certificate": "gateway.pem", "key": "gateway.key"},
     "local": {"host": "localhost", "port": 1883}}

The job document contains the operation and its fields: {"operation": "provision", "platform": "my_desk"}.
`local` is the broker of lpad-mqtt. docs/mqtt.md describes the mapping of states.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

if TYPE_CHECKING:
    from collections.abc import Callable

STEP_MINUTES = 60
"""The time limit of a job in minutes (AWS's step timer), which must exceed the guard's time limit."""
LONGEST = 1024
"""The maximum number of characters of a value in statusDetails."""
STATES = {"executing": "IN_PROGRESS", "successful": "SUCCEEDED", "failed": "FAILED"}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def details(message: dict[str, Any]) -> dict[str, str]:
    """Return the statusDetails of a command's message: non-empty texts without control characters."""
    found = {name: message.get(name) for name in ("change", "question", "kind", "reason")}
    found["iccid"] = (message.get("result") or {}).get("iccid")
    texts = {
        name: _CONTROL.sub(" ", str(value))[:LONGEST] for name, value in found.items() if value is not None
    }
    return {name: text for name, text in texts.items() if text}


class Agent:
    """The translator between the jobs of one thing and the commands of lpad-mqtt."""

    def __init__(self, settings: dict[str, Any]) -> None:
        """Create the clients of both brokers; `run` connects them."""
        self._jobs = f"$aws/things/{settings['thing']}/jobs"
        self._commands = f"{settings['prefix']}/cmd"
        self._allowed: set[str] = set()
        self._running: dict[str, Any] | None = None
        """The running job execution, of which AWS starts one at a time; None: no job runs."""
        self._topic = ""
        self._told: dict[str, Any] = {}
        self._lock = threading.RLock()
        self._ready = threading.Event()
        """Set once the local broker has reported the allowed operations."""
        self._aws = _client(f"{settings['thing']}-jobs", self._aws_connected, self._from_aws)
        self._local = _client("aws-jobs-agent", self._local_connected, self._from_lpad)
        self._local.on_subscribe = lambda client, *_: client.publish(f"{self._commands}/agent", b"", qos=1)
        self._brokers = settings["aws"], settings["local"]

    def run(self) -> None:
        """Connect to both brokers, and translate messages until the process ends."""
        aws, local = self._brokers
        _connect(self._local, local)
        self._local.loop_start()
        self._ready.wait()
        _connect(self._aws, aws)
        self._aws.loop_forever()

    def _aws_connected(self, client: Client, *_: object) -> None:
        for topic in ("notify-next", "start-next/accepted", "+/update/accepted", "+/update/rejected"):
            client.subscribe(f"{self._jobs}/{topic}", qos=1)
        self._next()

    def _local_connected(self, client: Client, *_: object) -> None:
        # The retained messages show the allowed operations, and the state of a running command.
        client.subscribe(f"{self._commands}/+", qos=1)
        if self._topic:
            client.subscribe(self._topic, qos=1)

    def _next(self) -> None:
        self._publish("start-next", {"stepTimeoutInMinutes": STEP_MINUTES})

    def _from_aws(self, _: Client, __: object, message: MQTTMessage) -> None:
        self._take(self._on_job, message)

    def _from_lpad(self, _: Client, __: object, message: MQTTMessage) -> None:
        self._take(self._on_command, message)

    def _take(self, read: Callable[[MQTTMessage], None], message: MQTTMessage) -> None:
        """Read a message; if it is malformed, report this and continue."""
        with self._lock:
            try:
                read(message)
            except (AttributeError, LookupError, TypeError, ValueError):
                topic = _CONTROL.sub(" ", message.topic)
                print(f"ignored a malformed message on {topic}", file=sys.stderr, flush=True)

    def _on_job(self, message: MQTTMessage) -> None:
        content = json.loads(message.payload or b"{}")
        what = message.topic.removeprefix(f"{self._jobs}/")
        if what == "notify-next":
            following = content.get("execution")
            under_way = self._running is not None and self._told.get("status") == "executing"
            if under_way and (not following or _name(following) != _name(self._running or {})):
                self._withdraw()  # the job was cancelled or removed, or has timed out
            elif following:
                self._next()
        elif what == "start-next/accepted":
            if content.get("execution"):
                self._begin(content["execution"])
        elif what.endswith("/update/accepted"):
            if self._told.get("status") in ("successful", "failed") and self._running is not None:
                self._end()
        elif content.get("code") == "InvalidStateTransition" and self._running is not None:
            self._withdraw()

    def _withdraw(self) -> None:
        """Cancel the change, if it still runs, of a job that AWS has ended; then ask for the next job."""
        if "change" in self._told and self._told.get("status") == "executing":
            subprocess.run(["lpactl", "cancel", str(self._told["change"])], check=False)  # noqa: S603, S607 - a number
        self._end()

    def _begin(self, execution: dict[str, Any]) -> None:
        if self._running is not None and _name(self._running) == _name(execution):
            return  # AWS has delivered the execution twice
        document = execution.get("jobDocument") or {}
        operation = document.get("operation")
        if operation not in self._allowed:
            reason = f"lpad-mqtt allows {', '.join(sorted(self._allowed)) or 'no operation'}"
            job = {"status": "REJECTED", "statusDetails": {"reason": reason}}
            self._publish(f"{execution['jobId']}/update", job)
            return
        self._running, self._told = execution, {}
        self._topic = f"{self._commands}/{operation}/{_name(execution)}"
        self._local.subscribe(self._topic, qos=1)
        fields = {name: value for name, value in document.items() if name != "operation"}
        # If lpad-mqtt already knows this ID, lpad-mqtt only reports the outcome again.
        self._local.publish(self._topic, json.dumps({**fields, "status": "init"}), qos=1, retain=True)

    def _on_command(self, message: MQTTMessage) -> None:
        if message.topic == f"{self._commands}/agent":
            self._ready.set()
            return
        if message.topic != self._topic:
            if message.payload:
                self._allowed.add(message.topic.rpartition("/")[2])
            else:
                self._allowed.discard(message.topic.rpartition("/")[2])
            return
        content = json.loads(message.payload or b"{}")
        status = STATES.get(content.get("status", ""))
        if status is not None and self._running is not None:
            self._told = content
            job = {"status": status, "statusDetails": details(content)}
            self._publish(f"{self._running['jobId']}/update", job)

    def _end(self) -> None:
        """Remove the command's message, and ask for the next job."""
        topic, self._topic, self._running = self._topic, "", None
        self._local.unsubscribe(topic)
        self._local.publish(topic, b"", qos=1, retain=True)
        self._next()

    def _publish(self, topic: str, content: dict[str, Any]) -> None:
        self._aws.publish(f"{self._jobs}/{topic}", json.dumps(content), qos=1)


def _name(execution: dict[str, Any]) -> str:
    """Return the command's ID, which contains the execution's number: a repeated job gets a new number."""
    return f"{execution['jobId']}-{execution['executionNumber']}"


def _client(name: str, connected: Any, received: Any) -> Client:
    client = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTv5)
    client.on_connect, client.on_message = connected, received
    client.reconnect_delay_set(1, 120)
    return client


def _connect(client: Client, broker: dict[str, Any]) -> None:
    if "ca" in broker:
        client.tls_set(broker["ca"], broker.get("certificate"), broker.get("key"))
    try:
        client.connect(broker["host"], broker.get("port", 1883))
    except OSError as error:
        sys.exit(f"cannot reach the broker {broker['host']}: {error}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    Agent(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))).run()
