"""Rows become structs on any number of threads, from the first one on."""

from __future__ import annotations

import subprocess
import sys

_AT_ONCE = """
import sys, threading, types

from pagerd.adapters.sql.repos.rows import introduce, struct

sys.setswitchinterval(1e-6)
NAMES = [f"f{n}" for n in range(30)]
SOURCE = "\\n".join([
    "from __future__ import annotations",
    "import enum, msgspec",
    "class State(enum.StrEnum):",
    "    A = 'a'",
    "class Row(msgspec.Struct, kw_only=True):",
    "    state: State",
    *(f"    {name}: int | None = None" for name in NAMES),
])
VALUES = {"state": "a", **dict.fromkeys(NAMES, 1)}
for _ in range(1500):
    module = sys.modules["rows_of_a_test"] = types.ModuleType("rows_of_a_test")
    exec(SOURCE, vars(module))
    introduce(module)
    start = threading.Barrier(4)

    def convert():
        start.wait()
        for _ in range(5):
            struct(module.Row, types.SimpleNamespace(**VALUES))

    threads = [threading.Thread(target=convert) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print("well")
"""


def test_the_first_conversions_may_be_at_once() -> None:
    done = subprocess.run([sys.executable, "-c", _AT_ONCE], check=False, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout) == (0, "well\n"), done.stderr
