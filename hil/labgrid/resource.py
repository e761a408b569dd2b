"""A place of the bench as a labgrid resource."""

from __future__ import annotations

import attr
from labgrid.factory import target_factory
from labgrid.resource import Resource


@target_factory.reg_resource
@attr.s(eq=False)
class LpadPlace(Resource):
    """A card at a port or in a reader, as a place in a bench file.

    Attributes:
        bench: path of the bench file.
        place: the place's name in the bench file.
    """

    bench: str = attr.ib(validator=attr.validators.instance_of(str))
    place: str = attr.ib(validator=attr.validators.instance_of(str))
