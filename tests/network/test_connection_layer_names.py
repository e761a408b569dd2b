"""The layers of the data connection."""

from __future__ import annotations

from lpad.network.connection_layer_names import Layer, OwnersProgram


def test_layers_stand_on_each_other() -> None:
    """From the lowest, the layers are card, modem, registered, bearer, address and path."""
    assert not {*Layer} & {*OwnersProgram}
    assert [*Layer] == ["card", "modem", "registered", "bearer", "address", "path"]
