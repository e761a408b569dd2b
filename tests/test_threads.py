"""Several threads can make the first use of a library at the same time."""

from __future__ import annotations

import subprocess
import sys

ROUNDS = 300
FIRST_USE = f"""
import dataclasses, sys, threading, types
import msgspec
SOURCE = '''
import dataclasses, msgspec
class Inner(msgspec.Struct):
    number: int = 1
@dataclasses.dataclass(frozen=True)
class Middle:
    inner: Inner
    more: dict[str, Inner] = dataclasses.field(default_factory=dict)
class Outer(msgspec.Struct):
    middle: Middle
    inner: Inner | None = None
'''
sys.setswitchinterval(1e-6)
def read():
    together.wait()
    msgspec.json.decode(b'{{"middle": {{"inner": {{"number": 2}}}}}}', type=module.Outer)
for number in range({ROUNDS}):
    module = sys.modules[f"types_{{number}}"] = types.ModuleType(f"types_{{number}}")
    exec(SOURCE, module.__dict__)
    together = threading.Barrier(4)
    threads = [threading.Thread(target=read) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
"""


def test_msgspec_reads_a_new_type_in_several_threads() -> None:
    """Four threads can decode a new type at the same time, which crashed msgspec before 0.23."""
    done = subprocess.run(
        [sys.executable, "-c", FIRST_USE], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
