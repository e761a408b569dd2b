"""The base of types whose values never change after they are created."""

from __future__ import annotations

from typing import ClassVar, dataclass_transform

from msgspec import Struct, field


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Frozen(Struct, frozen=True):
    """A type with frozen fields, made by msgspec, which, unlike dataclasses, generates no code at the start.

    Use it for objects that never leave the process. A type that is read from JSON or YAML derives from
    `msgspec.Struct` directly, because msgspec evaluates its annotations. `msgspec.structs.replace` makes a
    changed copy.

    Attributes:
        HIDDEN: the names of fields that `repr` omits, because they are secret or long.
    """

    HIDDEN: ClassVar[frozenset[str]] = frozenset()

    def __repr__(self) -> str:
        shown = (
            f"{name}={getattr(self, name)!r}" for name in self.__struct_fields__ if name not in self.HIDDEN
        )
        return f"{type(self).__name__}({', '.join(shown)})"
