"""Many good and bad API clients in one process: `python -m bench.load_clients SOCKET CHANGE [CODE]`.

Some clients list profiles until the change has ended or, if a code is given, until the download of the code
was requested `REPEATS` times. The program prints counts and times as JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from statistics import quantiles

CARD = "modem"
CLIENTS = 200
POSTERS = 50
"""The number of clients that request the same download again and again."""
REPEATS = 10_000
SLOW, MUTE, DEAF, BODIES, FLOODS = 12, 12, 12, 3, 3
BODY = 100 * 1024 * 1024
CHUNK = bytes(256 * 1024)
LIMIT = 1 << 20


@dataclass(slots=True)
class Load:
    """The clients' shared state and results."""

    socket: str
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    changes: set[int] = field(default_factory=set)
    left: int = REPEATS
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the daemon, and return the connection's reader and writer."""
        return await asyncio.open_unix_connection(self.socket, limit=LIMIT)

    async def call(
        self, method: str, path: str, body: bytes, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    ) -> bytes:
        """Send one request on an open connection and return the answer's body."""
        reader, writer = streams
        head = f"{method} {path} HTTP/1.1\r\nHost: lpad\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        self.statuses[f"{method} {answer.split(b' ', 2)[1].decode()}"] += 1
        length = next(
            int(line.partition(b":")[2])
            for line in answer.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        )
        return await reader.readexactly(length)

    async def read(self) -> None:
        """List profiles until the test is over, and record how long each answer takes."""
        streams = await self.connect()
        while not self.over.is_set():
            began = time.perf_counter()
            await self.call("GET", f"/v1/euiccs/{CARD}/profiles", b"", streams)
            self.latencies.append(time.perf_counter() - began)
        streams[1].close()

    async def post(self, code: str) -> None:
        """Request the same download until it was requested `REPEATS` times in all; then end the test."""
        streams = await self.connect()
        body = json.dumps({"activation_code": code, "confirm": True}).encode()
        while self.left > 0:
            self.left -= 1
            answer = json.loads(await self.call("POST", f"/v1/euiccs/{CARD}/downloads", body, streams))
            self.changes.add(answer["id"])
        streams[1].close()
        self.over.set()

    async def watch(self, change: int) -> None:
        """Wait until a change has ended; then end the test."""
        streams = await self.connect()
        await self.call("GET", f"/v1/changes/{change}?wait=600", b"", streams)
        self.over.set()

    async def write_slowly(self) -> None:
        """Send a request slowly, byte by byte; begin again when lpad closes the connection."""
        while not self.over.is_set():
            with contextlib.suppress(OSError):
                _, writer = await self.connect()
                for byte in b"GET /v1/system HTTP/1.1\r\nHost: " + b"l" * 1000:
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(0.2)

    async def say_nothing(self) -> None:
        """Connect and send nothing; connect again when lpad closes the connection."""
        while not self.over.is_set():
            reader, _ = await self.connect()
            await reader.read()

    async def never_listen(self) -> None:
        """Open an event stream and read nothing from it."""
        _, writer = await self.connect()
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a Unix transport has this method
        writer.write(b"GET /v1/events?after=0-0 HTTP/1.1\r\nHost: lpad\r\n\r\n")
        with contextlib.suppress(OSError):
            await self.over.wait()

    async def flood(self, head: bytes, chunk: bytes, total: int) -> None:
        """Send requests of `head` and `total` bytes of repeated `chunk` until the test is over."""
        while not self.over.is_set():
            with contextlib.suppress(OSError):
                _, writer = await self.connect()
                writer.write(head)
                for _ in range(total // len(chunk)):
                    writer.write(chunk)
                    await writer.drain()
                    if self.over.is_set():
                        break
                writer.close()


async def run(socket: str, change: int, code: str | None) -> dict[str, object]:
    """Run all clients and return their results."""
    load = Load(socket)
    began = time.perf_counter()
    bad: list[asyncio.Task[None]] = []
    good = [load.read() for _ in range(CLIENTS - (POSTERS if code else 0))]
    if code is None:
        good.append(load.watch(change))
    else:
        good += [load.post(code) for _ in range(POSTERS)]
        head = f"POST /v1/euiccs/{CARD}/reset HTTP/1.1\r\nHost: l\r\nContent-Length: {BODY}\r\n\r\n".encode()
        evil = [load.write_slowly() for _ in range(SLOW)]
        evil += [load.say_nothing() for _ in range(MUTE)]
        evil += [load.never_listen() for _ in range(DEAF)]
        evil += [load.flood(head, CHUNK, BODY) for _ in range(BODIES)]
        header = b"X-Flood: " + b"x" * 4000 + b"\r\n"
        evil += [load.flood(b"GET / HTTP/1.1\r\nHost: l\r\n", header, BODY) for _ in range(FLOODS)]
        bad = [asyncio.create_task(each) for each in evil]
    await asyncio.gather(*good)
    took = time.perf_counter() - began
    for each in bad:
        each.cancel()
    await asyncio.gather(*bad, return_exceptions=True)
    cuts = quantiles(load.latencies, n=100)
    return {
        "reads": len(load.latencies),
        "seconds": took,
        "p50": cuts[49],
        "p99": cuts[98],
        "statuses": dict(load.statuses),
        "changes": sorted(load.changes),
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(sys.argv[1], int(sys.argv[2]), sys.argv[3] if sys.argv[3:] else None))))
