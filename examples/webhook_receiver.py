"""Receive lpad's events, with Python's standard library alone.

    python3 webhook_receiver.py KEY-FILE [PORT]

The program verifies the signature of each request, ignores repetitions, and prints one line for each event.
KEY-FILE contains the key that lpad signs with, whsec_... Run the program behind a server that speaks TLS.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from email.message import Message

TOLERANCE = 300
"""The maximum difference in seconds between a request's time and now; an older request may be a replay."""
LARGEST = 64 * 1024


def shown(text: object) -> str:
    """Return a text of an event without characters that control the terminal."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in str(text))


def read_key(path: Path) -> bytes:
    """Return the key in a file; end the program if the file does not begin with whsec_."""
    text = path.read_text(encoding="ascii").strip()
    if not text.startswith("whsec_"):
        sys.exit(f"{path} does not contain a key that begins with whsec_")
    return base64.b64decode(text.removeprefix("whsec_"))


def is_genuine(key: bytes, headers: Message, body: bytes) -> bool:
    """Return whether the request is recent, and one of its signatures was made with the key."""
    moment = headers["webhook-timestamp"] or ""
    if not moment.isdecimal() or abs(time.time() - int(moment)) > TOLERANCE:
        return False
    signed = f"{headers['webhook-id']}.{moment}.".encode() + body
    wanted = b"v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256))
    # While a key is being replaced, a request has one signature for each key.
    given = (headers["webhook-signature"] or "").split()
    return any(hmac.compare_digest(wanted, each.encode()) for each in given)


class Receiver(BaseHTTPRequestHandler):
    """One connection from lpad."""

    protocol_version = "HTTP/1.1"
    key: ClassVar[bytes]
    seen: ClassVar[set[tuple[str, str]]] = set()
    """The accepted events; a real receiver stores them, as lpad repeats an event whose answer was lost."""

    def do_POST(self) -> None:
        """Receive an event."""
        length = self.headers["Content-Length"] or "0"
        body = self.rfile.read(min(int(length), LARGEST)) if length.isdecimal() else b""
        if not is_genuine(self.key, self.headers, body):
            self._answer(401)
            return
        try:
            event = json.loads(body)
            name = (str(event["source"]), str(event["id"]))
            line = f"{event.get('sequence', '-')} {event['type']} {json.dumps(event['data'])}"
        except (AttributeError, LookupError, TypeError, ValueError):
            self._answer(400)  # signed, but not an event
            return
        if name not in self.seen:
            self.seen.add(name)
            print(shown(line), flush=True)
        self._answer(204)  # immediately; slow work comes afterwards

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the base class
        """Log nothing."""


def main() -> None:
    """Listen until the process ends."""
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    Receiver.key = read_key(Path(sys.argv[1]))
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 8080), Receiver)
    print("listening on port", server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
