"""Because a daemon may start from slow flash, it loads the modules that its settings need, and few others."""

from __future__ import annotations

import dataclasses
import re
import sys
from importlib import import_module

import pytest

from journeys.gateway import Gateway

NOT_NEEDED = frozenset(
    {
        "asn1tools",  # simulators
        "cryptography",  # simulators
        "ctypes",  # uses half a megabyte for keys and curves that few devices use
        "httpcore",  # loaded when the first server is contacted
        "httpx",  # used for platforms
        "paho",  # lpad-mqtt
        "prometheus_client",  # loaded with the first scrape
        "rich",  # lpactl's tables
        "smartcard",  # used for readers
        "starlette.applications",  # middleware that loads html
    }
)
"""Libraries, and parts of them, that a daemon with one AT modem does not need before it is ready."""
OF_OTHERS = (
    "lpad.card.mbim",
    "lpad.card.pcsc",
    "lpad.card.qmi",
    "lpad.cli.commands",
    "lpad.client",
    "lpad.codec.mbim",
    "lpad.codec.qmi",
    "lpad.engine.webhooks.ed25519",
    "lpad.network.at_applier",
    "lpad.network.owner_program_applier",
    "lpad.network.modemmanager",
    "lpad.network.networkmanager",
    "lpad.provisioning.declared.declared_platform",
    "lpad.provisioning.http",
    "lpad.remote.trust.brainpool",
    "lpad.simulator",
)
"""Modules for ports, data connections and platforms that the settings do not name, and for other programs."""
MOST_MODULES = 490
"""The maximum number of lpad's own modules at the start; each module costs a search and a file to read."""


@pytest.fixture(scope="module")
def loaded() -> frozenset[str]:
    """The modules that a daemon with one AT modem has loaded when it is ready."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPROFILEIMPORTTIME", "1")
        with Gateway() as gateway:
            log = gateway.log
    names = re.findall(r"^import time: +\d+ \| +\d+ \| +(\S+)$", log, re.MULTILINE)
    assert "lpad.daemon.daemon" in names
    return frozenset(names)


def test_the_daemon_loads_what_its_settings_need(loaded: frozenset[str]) -> None:
    """A daemon with one AT modem loads no code for other ports, for appliers and for platforms."""
    assert loaded & NOT_NEEDED == set()
    assert sorted(each for each in loaded if each.startswith(OF_OTHERS)) == []


def test_the_daemon_loads_few_modules(loaded: frozenset[str]) -> None:
    """The daemon loads only a limited number of modules at its start."""
    assert sum(each.startswith("lpad.") for each in loaded) <= MOST_MODULES


def test_no_type_is_generated_at_the_start(loaded: frozenset[str]) -> None:
    """No module loaded at the start defines a dataclass, which would be compiled at each start."""
    for each in loaded:
        if each.startswith("lpad."):
            import_module(each)
    generated = [
        f"{name}.{type_.__qualname__}"
        for name in loaded
        if name.startswith("lpad.")
        for type_ in vars(sys.modules[name]).values()
        if isinstance(type_, type) and type_.__module__ == name and dataclasses.is_dataclass(type_)
    ]
    assert generated == []
