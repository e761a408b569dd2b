"""Lists a card's profiles, downloads one while showing the progress, and enables it. Needs only Python.

Usage: download.py EUICC ACTIVATION-CODE
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import sys
import uuid
from typing import Any

SOCKET = os.environ.get("LPAD_SOCKET", "/run/lpad/lpad.sock")


def shown(text: object) -> str:
    """Return a text from a card or server without characters that control the terminal."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in str(text))


class Connection(http.client.HTTPConnection):
    """HTTP over lpad's Unix socket."""

    def connect(self) -> None:
        """Connect to the socket, whatever the URL's host is."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(SOCKET)


def call(method: str, path: str, body: Any = None) -> Any:
    """Send a request and return the answer; if the request fails, print the error and end the program."""
    # With a key, lpad carries out the request once, even if it is repeated after a lost answer.
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    content = json.dumps(body) if body is not None else None
    for last in (False, True):
        connection = Connection("lpad")
        try:
            connection.request(method, path, content, headers)
            response = connection.getresponse()
            answer = json.load(response)
            break
        except (http.client.HTTPException, ConnectionResetError) as error:
            if last:
                sys.exit(shown(f"lpad closed the connection: {error}"))
        except OSError as error:
            sys.exit(f"cannot reach lpad at {SOCKET}: {error.strerror}")
        except ValueError:
            sys.exit("the answer is not JSON: is this lpad's socket?")
        finally:
            connection.close()
    if response.status >= 400 and isinstance(answer, dict):
        sys.exit(shown(f"{answer.get('kind')}: {answer.get('detail')}"))
    return answer


def show_profiles(euicc: str) -> None:
    """Print one line for each profile."""
    for profile in call("GET", f"/v1/euiccs/{euicc}/profiles")["profiles"]:
        print(
            "profile",
            shown(profile["iccid"]),
            shown(profile["state"]),
            shown(profile["nickname"] or profile["name"] or ""),
        )


def follow(change: int) -> None:
    """Print a change's progress until the change ends or waits."""
    connection = Connection("lpad")
    # 'after=0-0' requests earlier events, too.
    connection.request("GET", f"/v1/events?change={change}&after=0-0")
    event = ""
    for raw in connection.getresponse():
        name, _, value = raw.decode().rstrip("\n").partition(": ")
        if name == "event":
            event = value
        elif name == "data":
            data = json.loads(value)
            if event == "progress":
                print(f"{data['sent'] * 100 // data['total']:d}%")
            elif event == "change":
                print(shown(f"change {change}: {data['state']}"))
                if data["state"] in ("done", "failed", "cancelled", "waiting"):
                    break
    connection.close()


def main(euicc: str, code: str) -> None:
    """List the profiles, download one, enable it, and list again."""
    show_profiles(euicc)
    change = call("POST", f"/v1/euiccs/{euicc}/downloads", {"activation_code": code})
    follow(change["id"])
    change = call("GET", f"/v1/changes/{change['id']}")
    if change["state"] != "done":
        # A waiting change has a question, or a pause after which lpad continues.
        question, pause = change["question"], change["pause"] or {}
        failure = change["error"] or pause.get("error")
        waits = f"asked for: {question['kind']}" if question else f"waits: {pause.get('reason')}"
        sys.exit(shown(failure["sentence"] if failure else waits))
    iccid = change["result"]["iccid"]
    switched = call("POST", f"/v1/euiccs/{euicc}/profiles/{iccid}/enable?wait=240")
    print(shown(f"enable {iccid}: {switched['state']}"))
    if switched["state"] != "done":
        sys.exit(1)
    show_profiles(euicc)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("Usage: download.py EUICC ACTIVATION-CODE")
    try:
        main(*sys.argv[1:])
    except (http.client.HTTPException, OSError):
        sys.exit("lpad closed the connection")
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        sys.exit("an answer does not have the expected form: is this lpad's socket?")
