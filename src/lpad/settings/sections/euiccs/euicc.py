"""`euiccs.NAME`: one card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from lpad.base.identifiers import Aid, Imei, Tac
from lpad.base.lazy_pattern import LazyPattern
from lpad.base.server_address import ServerAddress
from lpad.card.quirks.quirks import Quirks
from lpad.settings.parsing.bounded_types import Text
from lpad.settings.parsing.section_base import Section
from lpad.settings.sections.euiccs.device_capabilities import check_capabilities
from lpad.settings.sections.euiccs.failover import FailoverSection
from lpad.settings.sections.euiccs.switching import SwitchingSection
from lpad.settings.sections.policy import CardPolicySection

if TYPE_CHECKING:
    from lpad.settings.parsing.mistakes import Report

BlockSize = Annotated[int, msgspec.Meta(ge=1, le=255)]
Baud = Annotated[int, msgspec.Meta(ge=300, le=4_000_000)]
FAST_BAUDS = (
    *(19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 500_000, 576_000, 921_600, 1_000_000, 1_152_000),
    *(1_500_000, 2_000_000, 2_500_000, 3_000_000, 3_500_000, 4_000_000),
)
"""The speeds in bits per second that Linux has names for (termios), from 19200 on."""
MOST_FALLBACK_PORTS = 8
FallbackPorts = Annotated[list[Text], msgspec.Meta(max_length=MOST_FALLBACK_PORTS)]
Position = Annotated[int, msgspec.Meta(ge=0, le=255)]

Provision = Literal["never", "on_empty"]
"""When lpad requests a profile from the default SM-DP+: never, or if the card has no operational profile."""

PLACES = ("port", "reader")
"""The settings for the place of a card; each card has exactly one of these settings."""

_NAME = LazyPattern(r"[a-z0-9][a-z0-9_-]{0,31}")


class EuiccSection(Section, frozen=True):
    """One card: its place (a modem's port or a reader), and the device around it."""

    port: Text | None = None
    fallback_ports: FallbackPorts = []
    reader: Text | Position | None = None
    shared: bool = False
    baud: Baud = 115200
    fast_baud: int | None = None
    block_size: BlockSize = 255
    refresh: bool | None = None
    imei: str | None = None
    tac: str | None = None
    default_smdp: str | None = None
    provision: Provision | None = None
    aid: str | None = None
    aids: list[str] = []
    quirks: dict[str, Any] = {}
    device_capabilities: dict[str, str | int | float] = {}
    switching: SwitchingSection = SwitchingSection()
    policy: CardPolicySection = CardPolicySection()
    failover: FailoverSection = FailoverSection()

    @property
    def places(self) -> tuple[str, ...]:
        """The names in `PLACES` that have a value; exactly one, unless the settings are wrong."""
        return tuple(name for name in PLACES if getattr(self, name) is not None)

    @property
    def place(self) -> str:
        """The place of the card; cards in one place share their port."""
        return " ".join(f"{name} {getattr(self, name)}" for name in self.places)

    @property
    def ports(self) -> frozenset[str]:
        """All ports of the modem."""
        return frozenset(each for each in (self.port, *self.fallback_ports) if each is not None)

    def check(self, report: Report) -> None:
        """Report an invalid name, place, speed, identifier, quirk or capability."""
        if not _NAME.fullmatch(str(report.at[-1])):
            report.wrong("a card's name must consist of at most 32 lower-case letters, digits, - and _")
        if len(self.places) > 1:
            report.wrong("give either 'port' or 'reader', not both")
        elif not self.places and all(map(report.sound, PLACES)):
            report.wrong("missing; for a card in a PC/SC reader, give 'reader' instead", "port")
        if self.fallback_ports and self.port is None:
            report.wrong("only a modem has several ports: give 'port', too", "fallback_ports")
        if len({self.port, *self.fallback_ports}) <= len(self.fallback_ports):
            report.wrong("each port of the modem must be named once, in 'port' or here", "fallback_ports")
        self._check_speed(report)
        self._check_device(report)
        if self.default_smdp is not None:
            report.parsed(ServerAddress.parse, self.default_smdp, "default_smdp")
        if self.aid is not None:
            report.parsed(Aid.parse, self.aid, "aid")
        for index, aid in enumerate(self.aids):
            report.parsed(Aid.parse, aid, "aids", index)
        for name, value in self.quirks.items():
            report.parsed(Quirks().merged, {name: value}, "quirks", name)
        check_capabilities(self.device_capabilities, report.below("device_capabilities"))

    def _check_speed(self, report: Report) -> None:
        if self.fast_baud is None:
            return
        if self.fast_baud not in FAST_BAUDS:
            report.wrong(f"it must be one of {', '.join(map(str, FAST_BAUDS))}", "fast_baud")
        elif self.fast_baud <= self.baud:
            report.wrong(f"choose a speed faster than 'baud', which is {self.baud}", "fast_baud")
        if self.reader is not None:
            report.wrong("only a modem's AT port has a speed: give 'port' instead of 'reader'", "fast_baud")

    def _check_device(self, report: Report) -> None:
        if self.imei is not None:
            report.parsed(Imei.parse, self.imei, "imei")
        if self.tac is not None:
            report.parsed(Tac.parse, self.tac, "tac")


def check_places(euiccs: dict[str, EuiccSection], report: Report) -> None:
    """Report entries that share a place or a port, unless they are eUICCs of one card with different AIDs."""
    seen: list[tuple[str, EuiccSection]] = []
    for name, euicc in euiccs.items():
        if report.sound(name) and euicc.places:
            for other, section in seen:
                if euicc.place == section.place:
                    _check_neighbours(euicc, other, section, report.below(name))
                elif common := euicc.ports & section.ports:
                    report.below(name).wrong(
                        f"{min(common)} already belongs to '{other}'; give each modem its own ports",
                        "fallback_ports" if euicc.fallback_ports else "port",
                    )
            seen.append((name, euicc))


def _check_neighbours(euicc: EuiccSection, other: str, section: EuiccSection, report: Report) -> None:
    where = euicc.places[0]
    if euicc.aid is None or section.aid is None or Aid.parse(euicc.aid) == Aid.parse(section.aid):
        report.wrong(
            f"this {where} already belongs to '{other}'; if one card contains both eUICCs, give each its own"
            " 'aid'",
            where,
        )
    mine, theirs = (
        (each.baud, each.fast_baud, each.quirks, each.shared, each.fallback_ports)
        for each in (euicc, section)
    )
    if mine != theirs:
        report.wrong(
            f"this shares its {where} with '{other}', so both need the same 'baud', 'fast_baud', 'quirks',"
            " 'shared' and 'fallback_ports'"
        )
