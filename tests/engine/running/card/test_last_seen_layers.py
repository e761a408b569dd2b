"""The states of the layers: published when they change, and only then."""

from __future__ import annotations

from msgspec.structs import replace

from lpad.engine.change.event_subscriptions import Hub
from lpad.engine.change.steady_clock import Moment, SteadyClock
from lpad.engine.running.card.last_seen_layers import LayerStates
from lpad.network.connection_layer_names import Layer

FIRST, SECOND = "8900101000000000017", "8900101000000000025"


def test_each_change_is_published_once() -> None:
    """An event reports a changed state, layer or profile, not a repeated state; only a fault has a cause."""
    hub = Hub()
    subscription = hub.subscribe(lambda: None)
    states = LayerStates("modem", hub, now=SteadyClock().now)
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


def test_a_layer_is_as_old_as_its_last_check() -> None:
    """A repeated state causes no event, but renews the time of the check; the lowest layer is first."""
    moment = Moment(wall=2e9, boot=1.0, boot_id="b", steady=2e9)
    states = LayerStates("modem", Hub(), now=lambda: moment)
    assert not states.seen
    states.saw(Layer.BEARER, up=False, iccid=FIRST, cause="ESM cause 27", told="the network refuses it")
    states.saw(Layer.REGISTERED, up=True, iccid=FIRST, told="CEREG 1 (registered at home)")
    moment = replace(moment, steady=2e9 + 60)
    states.saw(Layer.REGISTERED, up=True, iccid=FIRST, told="CEREG 5 (registered, roaming)")
    registered, bearer = states.seen
    assert (registered.layer, registered.told) == (Layer.REGISTERED, "CEREG 5 (registered, roaming)")
    assert (registered.seen_at, bearer.seen_at) == (2e9 + 60, 2e9)
    assert (bearer.up, bearer.cause, bearer.told) == (False, "ESM cause 27", "the network refuses it")
