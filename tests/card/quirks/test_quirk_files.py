"""Each quirk file is found by its modems, and its entries are typed and cite their sources."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lpad.base.errors import InvalidValue
from lpad.card.quirks import quirk_files
from lpad.card.quirks.modem_identity import ModemIdentity
from lpad.card.quirks.quirk_files import FOLDER, GENERIC, INDEX, family_file, find_quirks
from lpad.card.quirks.quirks import AtTimeouts, LinkKind, Quirks, RefreshStep, Step

FILES = sorted(path.name for path in FOLDER.glob("*.yaml") if path.name != INDEX)
ENTRIES = [(file, entry) for file in FILES for entry in quirk_files.read(file)]

MODEMS = [
    ("Quectel", "EG25", "EG25GGBR07A08M2G", "Quectel EG25, EG916Q"),
    ("Quectel", "EG916Q-GL", "EG916QGLLGR01A03M08", "Quectel EG25, EG916Q"),
    ("Quectel", "EC25", "EC25EFAR06A06M4G", "Quectel EC25"),
    ("Quectel", "EC20F", "EC20CEFHLGR06A07M1G", "Quectel EC20"),
    ("Quectel", "EG95", "EG95EXGAR08A05M1G", "Quectel EG9x"),
    ("Quectel", "EM05-G", "EM05GFAR07A07M1G", "Quectel EM05"),
    ("Quectel", "RM520N-GL", "RM520NGLAAR03A03M4G", "Quectel RM5xx"),
    ("SIMCOM INCORPORATED", "SIMCOM_SIM7600G-H", "LE20B04SIM7600G22", "SIMCom SIM7600"),
    ("SIMCOM INCORPORATED", "A7672E-FASE", "A7672M7_V1.11.1", "SIMCom A76xx and SIM7070"),
    ("SIMCOM INCORPORATED", "SIM8230G-M2", "2374B08SIM8230G-M2", "SIMCom SIM82xx"),
    ("Fibocom Wireless Inc.", "FM350-GL", "81600.0000.00.29.23.06", "Fibocom FM350, Dell DW5931e"),
    ("Dell", "DW5931e", "81600.0000.00.29.23.06", "Fibocom FM350, Dell DW5931e"),
    ("Fibocom Wireless Inc.", "FG132-GL", "", "Fibocom FG132"),
    ("Fibocom Wireless Inc.", "L850-GL", "18500.5001.00.05.27.30", "Fibocom L850, L860"),
    ("Sierra Wireless, Incorporated", "MC7455", "SWI9X30C_02.33.03.00", "Sierra"),
    ("Sierra Wireless, Incorporated", "EM7590", "SWIX55C_01.07.14.00", "Sierra"),
    ("Sierra Wireless, Incorporated", "EM9191", "SWIX55C_03.10.07.00", "Sierra EM91xx"),
    ("Telit", "LE910C4-EU", "25.21.660", "Telit LE910"),
    ("Telit", "FN990A28", "", "Telit FN980, FN990"),
    ("", "FN980", "", "Telit FN980, FN990"),
    ("Intel", "MBIM [8086:7560]", "18601.5001.00.01.16.35_GC", "Intel XMM7560"),
    ("Dell Inc.", "DW5821e-eSIM Snapdragon X20 LTE", "T77W968.F1.1.1.1", "Dell DW5821e"),
    ("Foxconn", "T99W175", "T99W175.F0.1.0.0", "Foxconn, Dell"),
    ("u-blox", "SARA-R510S", "02.05", "u-blox"),
    ("huawei", "MS2372h-517", "21.318.01.00.517", "Huawei"),
    ("huawei", "MU736", "11.350.09.00.00", "Huawei MU736"),
    ("TCL", "IK41", "", "Alcatel"),
    ("CMCC", "ML307X", "", "China Mobile ML307"),
    ("", "MC7455", "", "Sierra"),
    ("", "LE910C4-EU", "", "Telit LE910"),
    ("Acme", "Rocket 3000", "1.0", "generic"),
    ("", "", "", "generic"),
]


@pytest.mark.parametrize(("manufacturer", "model", "firmware", "last"), MODEMS)
def test_a_modem_finds_its_entries(manufacturer: str, model: str, firmware: str, last: str) -> None:
    """A modem's identity leads to the generic entry first, and to its most specific entry last."""
    identity = ModemIdentity(manufacturer=manufacturer, model=model, firmware=firmware)
    entries = find_quirks(identity).entries
    assert entries[0] == "generic"
    assert entries[-1] == last


def test_every_file_is_in_the_index_and_found_by_a_modem() -> None:
    """Each quirk file is in the index, and at least one modem of the table leads to it."""
    listed = set(quirk_files._load(INDEX).values())
    assert listed | {GENERIC} == set(FILES)
    found = {family_file(ModemIdentity(manufacturer=row[0], model=row[1])) for row in MODEMS}
    assert found == {*listed, None}


def test_no_manufacturer_is_taken_for_another() -> None:
    """At most one pattern of the index matches each modem of the table."""
    patterns: dict[str, str] = quirk_files._load(INDEX)
    for manufacturer, model, *_ in MODEMS:
        hits = [p for p in patterns if re.search(p, f"{manufacturer} {model}", re.IGNORECASE)]
        assert len(hits) <= 1


@pytest.mark.parametrize(("file", "entry"), ENTRIES, ids=lambda value: str(value)[:40])
def test_every_entry_is_typed_and_cites_where_it_was_seen(file: str, entry: dict[str, Any]) -> None:
    """An entry has only a name, sources, patterns that compile, and existing quirks."""
    assert set(entry) <= {"name", "model", "firmware", "port", "port_seen", "seen", "unconfirmed", "quirks"}
    assert entry["name"]
    assert entry["seen"], f"{file}: {entry['name']} cites nothing"
    assert ("port" in entry) == ("port_seen" in entry), f"{file}: {entry['name']} cites nothing for its port"
    for source in (*entry["seen"], *([entry["port_seen"]] if "port" in entry else ())):
        assert re.match(r"[^:]+(#\d+|\.(py|md|kt|c|cpp|h|go|java)|\d+|Manual|Guide)\b", source), source
        assert ": " in source
    re.compile(entry.get("model", ""))
    re.compile(entry.get("firmware", ""))
    Quirks().merged(entry.get("quirks") or {})


STANDARD = re.compile(r"AT\+(CFUN=([014]|1,1)|CRSM=[0-9,]+)|\+CPIN|\+SIM")
"""Commands of 3GPP TS 27.007 (8.2, 8.3, 8.18), which need no other source."""


def commands_of(quirks: dict[str, Any]) -> list[str]:
    """Return every AT command and result code that an entry names."""
    rungs = [
        command
        for rung in quirks.get("refresh_ladder", ())
        for part in ("down", "up", "instead")
        for command in rung.get(part, ())
    ]
    lists = ("iccid_commands", "announce_commands", "announcements", "after_switch")
    return rungs + [command for name in lists for command in quirks.get(name, ())]


@pytest.mark.parametrize("file", FILES)
def test_every_vendors_command_was_seen_somewhere(file: str) -> None:
    """A command that 3GPP does not define is in a cited source, or is marked as unconfirmed."""
    entries = [*quirk_files.read(GENERIC), *quirk_files.read(file)]
    seen = " ".join(source for entry in entries for source in entry["seen"])
    for entry in quirk_files.read(file):
        for command in commands_of(entry.get("quirks") or {}):
            known = STANDARD.fullmatch(command) or command.partition("=")[0].removesuffix("?") in seen
            assert known or command in entry.get("unconfirmed", []), f"{entry['name']}: {command}"


@pytest.mark.parametrize(("file", "entry"), ENTRIES, ids=lambda value: str(value)[:40])
def test_nothing_rests_on_an_unconfirmed_command(file: str, entry: dict[str, Any]) -> None:
    """If an entry has an unconfirmed command, it also has a 3GPP command for the same purpose."""
    doubtful = entry.get("unconfirmed", [])
    quirks = entry.get("quirks") or {}
    assert set(doubtful) <= set(commands_of(quirks)), file
    for rung in quirks.get("refresh_ladder", ()):
        assert not set(rung.get("down", ())) & set(doubtful)
        if set(rung.get("up", ())) & set(doubtful):
            assert any(STANDARD.fullmatch(command) for command in rung["instead"])
    asked = quirks.get("iccid_commands")
    assert asked is None or STANDARD.fullmatch(asked[-1])


@pytest.mark.parametrize("file", FILES)
def test_a_modem_that_refuses_its_familys_reset_is_still_reset(file: str) -> None:
    """A reset step's command has alternatives, so that a modem that refuses the first is still reset."""
    for entry in quirk_files.read(file):
        for rung in (entry.get("quirks") or {}).get("refresh_ladder", ()):
            if rung["step"] == "modem-reset" and not STANDARD.fullmatch(rung["up"][0]):
                assert rung["instead"]
            assert not (rung.get("instead") and rung.get("down"))


@pytest.mark.parametrize(("manufacturer", "model", "firmware", "last"), MODEMS)
def test_every_ladder_climbs_and_brings_up_what_it_took_down(
    manufacturer: str, model: str, firmware: str, last: str
) -> None:
    """Steps go from gentle to drastic; one that powers something down also powers it up again (VoCat#82)."""
    ladder = find_quirks(
        ModemIdentity(manufacturer=manufacturer, model=model, firmware=firmware)
    ).quirks.refresh_ladder
    order = [list(Step).index(rung.step) for rung in ladder]
    assert order == sorted(order)
    assert ladder[0].step is Step.WAIT
    for rung in ladder:
        assert rung.up or not rung.down, last
        assert rung.port_goes == (rung.step is Step.MODEM_RESET)


def test_only_the_familys_file_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """For one modem, lpad reads the index, the generic file and its family's file, and no other file."""
    read: list[str] = []
    load = quirk_files._load

    def noting(file: str) -> Any:
        read.append(file)
        return load(file)

    monkeypatch.setattr(quirk_files, "_load", noting)
    find_quirks(ModemIdentity(manufacturer="Telit", model="LE910C4-EU"))
    assert sorted(read) == sorted([INDEX, GENERIC, "telit.yaml"])


def test_firmware_narrows_an_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry may apply to some firmware only, and takes precedence over a more general one."""
    files: dict[str, Any] = {
        INDEX: {"acme": "acme.yaml"},
        GENERIC: [],
        "acme.yaml": [
            {"name": "Acme", "quirks": {"block_size": 120}},
            {"name": "Acme 1", "model": "Rocket", "firmware": r"^1\.", "quirks": {"block_size": 63}},
        ],
    }
    monkeypatch.setattr(quirk_files, "_load", files.__getitem__)
    one = ModemIdentity(manufacturer="Acme", model="Rocket", firmware="1.0")
    two = ModemIdentity(manufacturer="Acme", model="Rocket", firmware="2.1.0")
    assert find_quirks(one).quirks.block_size == 63
    assert find_quirks(two).quirks.block_size == 120


class TestMerged:
    """Settings may override any quirk."""

    def test_everything_can_be_overridden(self) -> None:
        """Each quirk can be overridden by a value of YAML, which is converted to the quirk's type."""
        quirks = Quirks().merged(
            {
                "links": ["csim"],
                "block_size": 63,
                "patience": {"apdu": 90},
                "refresh_flag": False,
                "refresh_ladder": [{"step": "sim-power-cycle", "down": ["AT+A"], "up": ["AT+B"]}],
                "iccid_commands": ["AT+X"],
            }
        )
        assert quirks.links == (LinkKind.CSIM,)
        assert quirks.block_size == 63
        assert quirks.patience == AtTimeouts(apdu=90)
        assert not quirks.refresh_flag
        assert quirks.refresh_ladder == (
            RefreshStep(step=Step.SIM_POWER_CYCLE, down=("AT+A",), up=("AT+B",)),
        )
        assert quirks.iccid_commands == ("AT+X",)

    def test_nothing_to_override_changes_nothing(self) -> None:
        """Without overrides the quirks stay the same."""
        assert Quirks().merged({}) == Quirks()

    @pytest.mark.parametrize(
        ("overrides", "says"),
        [
            ({"linkz": []}, "no quirk 'linkz'"),
            ({"patience": {"apud": 1}}, r"no quirk 'patience.apud'"),
            ({"block_size": 0}, "block_size"),
            ({"block_size": 256}, "block_size"),
            ({"links": ["qmi"]}, "links"),
            ({"refresh_flag": "perhaps"}, "refresh_flag"),
            ({"refresh_ladder": [{"step": "prayer"}]}, "refresh_ladder"),
        ],
    )
    def test_mistakes_are_named(self, overrides: dict[str, Any], says: str) -> None:
        """If the settings name an unknown quirk or give an invalid value, the error names the quirk."""
        with pytest.raises(InvalidValue, match=says):
            Quirks().merged(overrides)
