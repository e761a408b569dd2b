"""The layers of the way home."""

from __future__ import annotations

from lpad.network.connection_layer import Layer, OwnersProgram


def test_layers_stand_on_each_other() -> None:
    """From below: card, modem, registered, bearer, address, path."""
    assert not {*Layer} & {*OwnersProgram}
    assert [*Layer] == ["card", "modem", "registered", "bearer", "address", "path"]
