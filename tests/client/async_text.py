"""The text of lpad.client's asynchronous client, made from the synchronous one.

`cd tests && python -m client.async_text` writes the file. Each method has the same name, arguments and
result; the methods are awaited, and streams are asynchronous generators.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "src" / "lpad" / "client"
TARGET = FOLDER / "async_client.py"

_HEAD = '''"""The asynchronous client of lpad's API, for asyncio: `client.py` with the same methods, awaited.

    async with AsyncClient() as lpad:
        change = await lpad.download("modem", activation_code="LPA:1$smdp.example.com$ABCD", enable=True)
        async for event in lpad.follow(change.id):
            print(event.type)

Import it from here: `lpad.client` itself does not load asyncio. A client belongs to one event loop. This file
is made from `client.py`, `listeners.py` and `webhooks.py`; see CONTRIBUTING.md.
"""

'''
_RULES: tuple[tuple[str, str], ...] = (
    (r"^    def (?!__init__)(\w+)\(", r"    async def \1("),
    (r"__enter__", "__aenter__"),
    (r"__exit__", "__aexit__"),
    (r"in a `with` statement", "in an `async with` statement"),
    (
        r"^( *)yield from self\._connection\.stream\((.*)\)$",
        r"\1async for event in self._connection.stream(\2):\n\1    yield event",
    ),
    (r"(?<!in )self\._connection\.(?=[a-z])", "await self._connection."),
    (r"self\._post\(", "await self._post("),
    (r"^( *)self\.close\(\)", r"\1await self.close()"),
    (r"= self\.change\(", "= await self.change("),
    (r"\bnext\(stream\)", "await anext(stream)"),
    (r"for event in stream:", "async for event in stream:"),
    (r"stream\.close\(\)", "await stream.aclose()"),
    (r"Generator\[Event, None, None\]", "AsyncGenerator[Event, None]"),
    (r"(?<!Async)Iterator\[Event\]", "AsyncIterator[Event]"),
    (r"\b(Client|Webhooks|Listeners|Connection)\b(?=[(:])", r"Async\1"),
    (r": (Connection)\b", r": Async\1"),
)


def text() -> str:
    """Return the text that the file should have."""
    client, listeners, webhooks = (
        (FOLDER / f"{name}.py").read_text(encoding="utf-8") for name in ("client", "listeners", "webhooks")
    )
    imports, body = client.split("\nDEFAULT_SOCKET", 1)
    imports = imports.split('"""\n\n', 1)[1]
    imports = imports.replace("from lpad.client.connection import Connection, given\n", _IMPORTS)
    imports = imports.replace(
        "from lpad.client.listeners import Listeners\n", "from lpad.client.listeners import Listener\n"
    )
    imports = imports.replace(
        "from lpad.client.webhooks import Webhooks\n",
        "from lpad.client.webhooks import Redelivered, Webhook, WebhookTest\n",
    )
    imports = imports.replace("Generator, Iterator, Mapping", "AsyncGenerator, AsyncIterator, Mapping")
    body = body.split("class Client:", 1)[1]
    methods, helpers = body.split("\n\n\ndef _card(", 1)
    classes = (
        f"class Client:{methods}\n\n\n{_class(listeners, 'Listeners')}\n\n\n{_class(webhooks, 'Webhooks')}"
    )
    for pattern, replacement in _RULES:
        classes = re.sub(pattern, replacement, classes, flags=re.MULTILINE)
    paths = _tail(listeners, "_path").replace("_path", "_listener")
    classes = classes.replace("_path(name)", "_listener(name)")
    return _formatted(f"{_HEAD}{imports}\n\n{classes}\n\n\ndef _card({helpers.rstrip()}\n\n\n{paths}")


_IMPORTS = """from lpad.client.async_connection import AsyncConnection
from lpad.client.client import DEFAULT_SOCKET, LONGEST_WAIT
from lpad.client.connection import given
"""


def _class(source: str, name: str) -> str:
    """Return the text of a class in a module."""
    return "class " + name + source.split(f"class {name}", 1)[1].partition("\n\n\ndef ")[0].rstrip()


def _tail(source: str, function: str) -> str:
    """Return the text of a function at the end of a module."""
    return f"def {function}" + source.split(f"def {function}", 1)[1]


def _formatted(source: str) -> str:
    ruff = [sys.executable, "-m", "ruff"]
    for command in (["check", "--quiet", "--fix-only", "--select", "I"], ["format", "--quiet"]):
        done = subprocess.run(
            [*ruff, *command, "--stdin-filename", str(TARGET), "-"],
            input=source,
            check=True,
            capture_output=True,
            text=True,
        )
        source = done.stdout
    return source


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
