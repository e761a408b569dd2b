"""Write the manual pages: prose from package/man/, commands from click, keys from the files in config/.

`python package/manual.py FOLDER` fills FOLDER, which becomes /usr/share/man.
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

import lpad
from lpad.cli.lpactl import cli as lpactl_cli
from lpad.cli.lpad import cli as lpad_cli
from lpad.cli.terminal import exit_codes

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
PAGES = ("lpad.8", "lpactl.1", "lpad-mqtt.8", "lpad.yaml.5", "mqtt.yaml.5")
_KEY = re.compile(r"^(?P<indent> *)(?:# (?P<more> *))?(?P<item>- )?(?P<key>[a-z0-9_.]+):(?: (?P<value>.*))?$")
_EXAMPLE = " Example:"


def write(folder: Path) -> None:
    """Write every page to its section's folder below `folder`."""
    for name in PAGES:
        path = folder / f"man{name[-1]}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page(name), encoding="utf-8")


def page(name: str) -> str:
    """Return a page's source for man(1), such as that of "lpad.8"."""
    text = (HERE / "man" / name).read_text(encoding="utf-8")
    settings = (HERE.parent / "config" / "lpad.yaml").read_text(encoding="utf-8")
    bridge = (HERE.parent / "config" / "mqtt.yaml").read_text(encoding="utf-8")
    lpactl = click.Context(lpactl_cli, info_name="lpactl")
    parts = {
        "VERSION": lpad.__version__,
        "LPAD COMMANDS": "\n".join(_commands(lpad_cli, "lpad")),
        "LPACTL COMMANDS": "\n".join(_commands(lpactl_cli, "lpactl")),
        "LPACTL OPTIONS": "\n".join(_options(lpactl_cli, lpactl, without=set())),
        "EXIT CODES": "\n".join(
            f".TP\n.B {code}\n{roff(text)}" for code, text in exit_codes.MEANINGS.items()
        ),
        "KEYS": "\n".join(_keys(settings)),
        "MQTT KEYS": "\n".join(_keys(bridge)),
    }
    return re.sub(r"@([A-Z ]+)@", lambda found: parts[found[1]], text)


def roff(text: str) -> str:
    """Return text with its roff requests and escapes disabled."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "'").replace("|", "|\\:")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.MULTILINE)


def _commands(group: click.Command, name: str) -> Iterator[str]:
    common = {option for parameter in group.params for option in parameter.opts} | {"--help"}
    yield from _below(group, click.Context(group, info_name=name), common)


def _below(command: click.Command, context: click.Context, common: set[str]) -> Iterator[str]:
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None and not found.hidden:
                yield from _below(found, click.Context(found, info_name=name, parent=context), common)
        return
    yield ".SS " + roff(f"{context.command_path} {' '.join(command.collect_usage_pieces(context))}")
    yield from _paragraphs(command.help or "")
    yield from _options(command, context, without=common)


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b\n"):
            yield f".nf\n{roff(paragraph[2:])}\n.fi"
        else:
            yield roff(" ".join(paragraph.split()))
        yield ".PP"


def _options(command: click.Command, context: click.Context, *, without: set[str]) -> Iterator[str]:
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if isinstance(parameter, click.Option) and record is not None and without.isdisjoint(parameter.opts):
            yield f".TP\n.B {roff(record[0])}\n{roff(' '.join(record[1].split()))}"


def _keys(text: str) -> Iterator[str]:
    """Yield the lines of an entry for each key of the settings: path, purpose, and default or example."""
    above: list[tuple[int, str]] = []
    examples: list[int] = []
    shown: set[str] = set()
    said: list[str] = []
    for line in text.splitlines():
        found = _KEY.match(line)
        if found is None:
            comment = line.strip(" #")
            said = [*said, comment] if comment and line.strip().startswith("#") else []
            continue
        indent = sum(len(found[part] or "") for part in ("indent", "more", "item"))
        above = [*(each for each in above if each[0] < indent), (indent, found["key"])]
        path = ".".join(key for _, key in above)
        examples = [depth for depth in examples if depth < indent]
        if " ".join(said).endswith(_EXAMPLE):
            examples.append(indent)
        # a line without a # is an example for the integrator to replace
        example = bool(examples) or not line.lstrip().startswith("#")
        if path not in shown:  # the second item of a list repeats the keys of the first
            yield f".TP\n.B {roff(path)}"
            yield from _entry(" ".join(said).removesuffix(_EXAMPLE), found["value"], example=example)
        shown.add(path)
        said = []


def _entry(said: str, value: str | None, *, example: bool) -> Iterator[str]:
    if said:
        yield roff(said if said.endswith(".") else said + ".")
    if value is not None:
        yield f"{'Example' if example else 'Default'}: {roff(value)}"


if __name__ == "__main__":
    write(Path(sys.argv[1]))
