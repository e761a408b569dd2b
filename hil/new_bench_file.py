"""A bench file to begin with: one place, for the card that is found in a reader or at a port."""

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
}
"""By the way that the probe found."""


def write_bench(path: Path, where: str) -> BenchFile:
    """Look for the card, which changes nothing on it, and write down what was found.

    Args:
        path: of the file; it must not be there.
        where: a port's path, or a reader's name as `lpad probe` takes it.

    Raises:
        Conflict: the file is there.
        CardUnreachable: no card was found.
    """
    if path.exists():
        raise Conflict(f"writing {path} failed: it is there; add the place to it, or name another file")
    if where.startswith("/"):
        at, section = "port", PlaceSection(eid="", port=where)
    else:
        at, section = "reader", PlaceSection(eid="", reader=where)
    report = probe(section)
    found = where if at == "port" else report["reader"]
    features = _FEATURES.get(str(report["link"]), [])
    path.write_text(
        f"""# Every key is in hil/benches/example.yaml.
places:
  first:
    {at}: "{found}"
    # Nothing is run with another card.
    eid: "{report["eid"]}"
    features: [{", ".join(features)}]
""",
        encoding="utf-8",
    )
    path.chmod(0o600)
    return BenchFile.read(path)
