"""The layers of the way home."""

from __future__ import annotations

from lpad.network.connection_layer import Layer


def test_layers_stand_on_each_other() -> None:
    """From below: card, modem, registered, bearer, address, path."""
    assert [*Layer] == ["card", "modem", "registered", "bearer", "address", "path"]
