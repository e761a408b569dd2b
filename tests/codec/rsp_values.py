"""Random values of every type of rsp.asn, made from the daemon's table."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from lpad.codec.asn1 import named_bits, tlv
from lpad.codec.asn1.rsp_table import TYPES

_OIDS = st.one_of(
    st.tuples(st.integers(0, 1), st.integers(0, 39)), st.tuples(st.just(2), st.integers(0, 5000))
).flatmap(
    lambda head: st.lists(st.integers(0, 1 << 40), max_size=4).map(
        lambda tail: ".".join(map(str, (*head, *tail)))
    )
)
_LEAVES: dict[str, st.SearchStrategy[Any]] = {
    "ANY": st.binary(max_size=40).map(lambda value: tlv.encode(0x30, tlv.encode(0x04, value))),
    "BIT STRING": st.sets(st.integers(0, 40)).map(named_bits.of),
    "BOOLEAN": st.booleans(),
    "INTEGER": st.one_of(
        st.sampled_from([0, 127, 128, 255, 256, 32768, 2**31 - 1, -1, -128, -129]),
        st.integers(-(1 << 63), (1 << 63) - 1),
    ),
    "NULL": st.none(),
    "OBJECT IDENTIFIER": _OIDS,
    "OCTET STRING": st.binary(max_size=300),
    "UTF8String": st.text(max_size=80),
}


def values_of(type_name: str) -> st.SearchStrategy[Any]:
    """Return a strategy for values of a type of rsp.asn, in the conventions of asn1tools."""
    return _of_node(TYPES[type_name])


def _of_node(node: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    kind = node[0]
    if kind == "=":
        return st.deferred(lambda: values_of(node[2]))
    if kind == "EXPLICIT":
        return _of_node(node[2])
    if kind == "SEQUENCE OF":
        return st.lists(_of_node(node[2]), max_size=3)
    if kind == "CHOICE":
        return st.one_of([st.tuples(st.just(name), _of_node(inner)) for name, inner in node[2]])
    if kind == "SEQUENCE":
        sure = {name: _of_node(inner) for name, inner, optional, default in node[2] if not optional}
        extra = {name: _of_node(inner) for name, inner, optional, _ in node[2] if optional}
        return st.fixed_dictionaries(sure, optional=extra)
    return _LEAVES[kind]
