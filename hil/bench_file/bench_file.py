"""The bench file: the places, and what the bench may do to the card at each place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from hil.bench_file.place_features import FEATURES
from lpad.base.errors import InvalidSettings, InvalidValue
from lpad.base.identifiers import Eid, Iccid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_HUB_PORT = re.compile(r"[0-9.-]+:[0-9]+")
_USB_DEVICE = re.compile(r"[0-9]+-[0-9]+(\.[0-9]+)*")


class Power(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The power switch of a place, of exactly one kind; `up_within`: the seconds for the device to start."""

    uhubctl: str | None = None
    """The hub's port for uhubctl: HUB:PORT, such as 1-1:2."""
    sysfs: str | None = None
    """The USB device, such as 1-1.4, which is unbound from its driver."""
    command: list[str] | None = None
    """A command of the user; {state} is replaced by on or off."""
    up_within: float = 60.0
    off_for: float = 2.0
    """The minimum number of seconds without power, so that capacitors discharge and the system notices that
    the device is gone."""


class PlaceSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One place: where its card is, which card it is, and what the bench may do to it."""

    eid: str
    port: str | None = None
    reader: str | int | None = None
    features: list[str] = []
    expendable: list[str] = []
    """ICCIDs of the profiles that the bench may delete."""
    codes: str | None = None
    """The file with the pool of activation codes for this place; None: there is no pool."""
    power: Power | None = None
    euicc: dict[str, Any] = {}
    """Further daemon settings for this card."""


class Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The bench's own SM-DP+, for places with the feature test-ci."""

    certificates: str
    """The folder of certificates and keys, with the layout of SGP.26."""
    profile: str | None = None
    """The file of a profile package that the cards can install; by default a made-up profile is used."""


class Bench(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The content of a bench file."""

    places: dict[str, PlaceSection]
    server: Server | None = None
    settings: dict[str, Any] = {}
    """Further settings for every daemon."""
    cycles: int = 10
    """The number of cycles of each endurance case."""
    state: str = "state"
    """The folder for data that is kept between runs: journals, leases, the previously enabled profile."""
    runs: str = "runs"
    """The folder for the evidence."""


@dataclass(frozen=True, slots=True)
class BenchFile:
    """A bench and the path of its file; paths in the file may be relative to the file's folder."""

    path: Path
    bench: Bench

    @classmethod
    def read(cls, path: Path) -> BenchFile:
        """Read, check and return a bench file.

        Raises:
            InvalidSettings: the file is unreadable or has mistakes, which the error describes.
        """
        try:
            bench = msgspec.yaml.decode(path.read_bytes(), type=Bench)
        except OSError as error:
            raise InvalidSettings(
                f"cannot read the bench file {path}: {error.strerror}; create one with --new"
            ) from error
        except msgspec.MsgspecError as error:
            raise InvalidSettings(f"the bench file {path} is wrong: {error}") from error
        mistakes = list(_mistakes(bench))
        if mistakes:
            raise InvalidSettings("\n".join(f"{path}: {mistake}" for mistake in mistakes))
        return cls(path.absolute(), bench)

    def resolve(self, text: str) -> Path:
        """Resolve a path in the bench file; a relative path is relative to the file's folder."""
        return self.path.parent / text

    def features(self, name: str) -> frozenset[str]:
        """Return the features of a place, both declared and derived."""
        place = self.bench.places[name]
        server = self.bench.server is not None and "test-ci" in place.features
        derived = {
            "reader": place.reader is not None,
            "modem": place.port is not None,
            "power": place.power is not None,
            "codes": place.codes is not None or server,
            "server": server,
        }
        return frozenset(place.features) | {feature for feature, there in derived.items() if there}


def _mistakes(bench: Bench) -> Iterator[str]:
    if not bench.places:
        yield "the file must name a place"
    where: dict[object, str] = {}
    for name, place in bench.places.items():
        for mistake in _mistakes_of(name, place):
            yield f"places.{name}: {mistake}"
        at = place.port if place.port is not None else place.reader
        if at in where:
            yield f"places.{name}: the place {where[at]} already uses the card at {at}"
        where[at] = name


def _mistakes_of(name: str, place: PlaceSection) -> Iterator[str]:
    if not _NAME.fullmatch(name):
        yield "a place's name must have 1 to 32 lower-case letters, digits, - and _"
    if (place.port is None) == (place.reader is None):
        yield "a place must have either a port or a reader"
    for feature in place.features:
        if feature not in FEATURES:
            yield f"there is no feature '{feature}'; the features are {', '.join(FEATURES)}"
    for text, parse in [(place.eid, Eid.parse), *((iccid, Iccid.parse) for iccid in place.expendable)]:
        try:
            parse(text)
        except InvalidValue as error:
            yield str(error)
    if place.power is not None:
        yield from _mistakes_of_power(place.power)


def _mistakes_of_power(power: Power) -> Iterator[str]:
    if sum(way is not None for way in (power.uhubctl, power.sysfs, power.command)) != 1:
        yield "'power' must contain exactly one of uhubctl, sysfs and command"
    if power.uhubctl is not None and not _HUB_PORT.fullmatch(power.uhubctl):
        yield "uhubctl must be HUB:PORT, such as 1-1:2"
    if power.sysfs is not None and not _USB_DEVICE.fullmatch(power.sysfs):
        yield "sysfs must be a USB device, such as 1-1.4"
    if power.command is not None and not any("{state}" in part for part in power.command):
        yield "the command must contain {state}, which is replaced by on or off"
