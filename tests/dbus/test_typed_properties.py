"""Properties on the bus with the expected types, and properties that are missing or of unexpected types."""

from __future__ import annotations

from typing import Any

import pytest

from lpad.dbus.typed_properties import Properties, of_interfaces, of_objects
from lpad.dbus.variant import Variant, plain

ODD: list[Any] = [
    None,
    "",
    "text",
    -1,
    0,
    1,
    1 << 70,
    True,
    1.5,
    b"bytes",
    [],
    [None, 3, ["x"], {"y": 1}, ""],
    {},
    {1: 2},
    Variant("s", "text"),
    Variant("v", Variant("ao", ["/", "/a", "b"])),
]


def test_reads_what_is_there() -> None:
    """Each kind of property is read in its type, with or without a variant around it."""
    read = Properties(
        {
            "Device": Variant("s", "/sys/1"),
            "State": Variant("i", -1),
            "Ports": Variant("a(su)", [["ttyUSB2", 3], "odd", ["wwan0", 2]]),
            "Sim": Variant("o", "/org/sim/1"),
            "PrimarySim": Variant("o", "/"),
            "Connections": Variant("ao", ["/a", "/", 4]),
            "Unsaved": Variant("b", False),
            "AddressData": Variant("aa{sv}", [{"address": Variant("s", "10.0.0.2")}, 1]),
            "gsm": {"apn": Variant("s", "iot")},
            "names": Variant("as", ["a", "", 1, "b"]),
        }
    )
    assert read.text("Device") == "/sys/1"
    assert (read.number("State", least=-1), read.number("State")) == (-1, None)
    assert read.records("Ports") == (("ttyUSB2", 3), ("wwan0", 2))
    assert (read.path("Sim"), read.path("PrimarySim"), read.path("Device")) == ("/org/sim/1", None, "/sys/1")
    assert read.paths("Connections") == ("/a",)
    assert read.flag("Unsaved") is False
    assert [each.text("address") for each in read.tables("AddressData")] == ["10.0.0.2"]
    assert read.table("gsm").text("apn") == "iot"
    assert read.texts("names") == ("a", "b")
    assert "gsm" in read
    assert set(read) >= {"Device", "gsm"}


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_odd_values_are_unknown(odd: Any) -> None:
    """Whatever a property contains, each way to read it gives a value of its type, or None."""
    for read in (Properties({"X": odd, "Y": Variant("s", "kept")}), Properties(odd)):
        assert isinstance(read.text("X"), str | None)
        assert isinstance(read.path("X"), str | None)
        number = read.number("X", most=100)
        assert number is None or (type(number) is int and 0 <= number <= 100)
        assert read.flag("X") in (None, True)
        assert all(isinstance(each, str) for each in (*read.texts("X"), *read.paths("X")))
        assert all(isinstance(each, tuple) for each in read.records("X"))
        assert all(isinstance(each, Properties) for each in (*read.tables("X"), read.table("X")))
    assert Properties({"X": odd, "Y": Variant("s", "kept")}).text("Y") == "kept"


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_odd_objects_hide_no_others(odd: Any) -> None:
    """An object or interface that cannot be read is empty, and the others are read."""
    found = of_objects({"/odd": odd, 7: {}, "/modem": {"Modem": {"Device": Variant("s", "uid")}, "Odd": odd}})
    assert found["/modem"]["Modem"].text("Device") == "uid"
    assert isinstance(of_objects(odd), dict)
    assert isinstance(of_interfaces(odd), dict)


def test_plain_values_have_no_types() -> None:
    """Plain values have no D-Bus types, at any depth."""
    assert plain({"a": Variant("a{sv}", {"b": Variant("as", ["c"])})}) == {"a": {"b": ["c"]}}
