"""The states of the layers: published when they change, and only then."""

from __future__ import annotations

from lpad.engine.change.event_hub import Hub
from lpad.engine.running.card.layer_states import LayerStates
from lpad.network.connection_layer import Layer

FIRST, SECOND = "8900101000000000017", "8900101000000000025"


def test_each_change_is_published_once() -> None:
    """A repeated state is not an event; another state, layer or profile is, and only a fault has a cause."""
    hub = Hub()
    subscription = hub.subscribe(lambda: None)
    states = LayerStates("modem", hub)
    for up, iccid in ((True, FIRST), (True, FIRST), (False, FIRST), (False, FIRST), (False, SECOND)):
        states.saw(Layer.BEARER, up=up, iccid=iccid, cause="ESM cause 27")
    states.saw(Layer.ADDRESS, up=False, iccid=SECOND)
    events = subscription.take()
    assert {(each.type, each.euicc) for each in events} == {("layer", "modem")}
    about = {"euicc": "modem", "layer": "bearer"}
    assert [each.data for each in events] == [
        {**about, "up": True, "iccid": FIRST, "cause": None},
        {**about, "up": False, "iccid": FIRST, "cause": "ESM cause 27"},
        {**about, "up": False, "iccid": SECOND, "cause": "ESM cause 27"},
        {"euicc": "modem", "layer": "address", "up": False, "iccid": SECOND, "cause": None},
    ]
