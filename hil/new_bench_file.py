"""A first bench file: one place, for the card that is found in a reader or at a port."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hil.bench_file.bench_file import BenchFile, PlaceSection
from hil.place.card_identity import probe
from lpad.base.errors import Conflict

if TYPE_CHECKING:
    from pathlib import Path

_FEATURES = {
    "pcsc-t0": ["pcsc", "t0"],
    "pcsc-t1": ["pcsc", "t1"],
    "cgla": ["cgla"],
    "csim": ["csim"],
    "mbim": ["mbim"],
    "qmi": ["qmi"],
}
"""The features of a place, by the kind of link that the probe has found."""


def write_bench(path: Path, where: str) -> BenchFile:
    """Find the card, without changing it; write and return a bench file for it.

    Args:
        path: the path of the file, which must not exist.
        where: a port's path, or a reader's name as for `lpad probe`.

    Raises:
        Conflict: the file exists.
        CardUnreachable: no card was found.
    """
    if path.exists():
        raise Conflict(f"cannot write {path}: the file exists; add the place to it, or name another file")
    if where.startswith("/"):
        at, section = "port", PlaceSection(eid="", port=where)
    else:
        at, section = "reader", PlaceSection(eid="", reader=where)
    report = probe(section)
    found = where if at == "port" else report["reader"]
    features = _FEATURES.get(str(report["link"]), [])
    path.write_text(
        f"""# hil/benches/example.yaml explains every key.
places:
  first:
    {at}: "{found}"
    # The bench does nothing to any other card.
    eid: "{report["eid"]}"
    features: [{", ".join(features)}]
""",
        encoding="utf-8",
    )
    path.chmod(0o600)
    return BenchFile.read(path)
