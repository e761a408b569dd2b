"""A journal on a disk of a megabyte that fills up; run in a mount namespace of its own.

Prints as JSON what was seen, for test_last_words.py to judge.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from lpad.base.errors import CardUnreachable, JournalUnavailable
from lpad.card.link.remembered_links import LinkMemory
from lpad.card.quirks.quirks import LinkKind
from lpad.engine.change.params import EnableParams, RefreshParams
from lpad.engine.change.results import RefreshResult
from lpad.engine.journal import Journal


def fill(path: Path) -> None:
    """Fill the disk to the last byte."""
    with path.open("ab", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


def refused(journal: Journal) -> str | None:
    """Return the reason why new changes are refused, or None if they are accepted."""
    try:
        journal.changes.add("modem", RefreshParams(), secrets={})
    except JournalUnavailable as error:
        return str(error.details["reason"])
    return None


def main(folder: Path) -> dict[str, object]:
    """Run a change on a disk that fills up; return what was seen, also as after a power cut."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(folder)]
    subprocess.run(mount, check=True)
    journal = Journal(folder / "journal.db")
    kept, other = (
        journal.changes.add("modem", EnableParams(iccid="8900101000000000017"), secrets={"code": "secret"})
        for _ in range(2)
    )
    kept, other = kept.run(), other.run()
    journal.changes.save(kept)
    journal.changes.save(other)
    channel = LinkMemory(folder / "links").open_channel("modem")
    channel.note(LinkKind.CSIM, "1")
    channel.clear()
    fill(folder / "filler")
    channel.note(LinkKind.CGLA, "12")
    left = LinkMemory(folder / "links").open_channel("modem").left_over()
    seen: dict[str, object] = {"channel": left and left.handle, "full": refused(journal)}
    journal.changes.save(kept.done(RefreshResult()))
    journal.changes.save(other.failed(CardUnreachable("gone")))
    seen["after last words"] = refused(journal)
    fill(folder / "filler")
    seen["tried again"] = journal.try_again()
    seen["still"] = refused(journal)
    lost = folder.with_name("copy")
    lost.mkdir()
    for name in ("journal.db", "journal.db-wal"):
        if (folder / name).exists():
            (lost / name).write_bytes((folder / name).read_bytes())
    after_cut = Journal(lost / "journal.db")
    seen["states"] = [after_cut.changes.get(change.id).state for change in (kept, other)]
    after_cut.close()
    (folder / "filler").unlink()
    seen["space again"] = journal.try_again()
    seen["taken on"] = refused(journal)
    seen["reserve"] = (folder / "journal.reserve").stat().st_size
    journal.close()
    return seen


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
