"""The failpoint of tests: kills this very process, as SIGKILL does, at the n-th pass of a named place."""

from __future__ import annotations

import os
import signal


class KillAt:
    """Implements ``ports.failpoints.Failpoint`` from a setting such as ``K7:3``: the third pass of K7 is the last."""

    def __init__(self, setting: str) -> None:
        self._name, _, count = setting.partition(":")
        self._left = int(count or 1)

    def __call__(self, name: str) -> None:
        """Return, or kill the process."""
        if name == self._name:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
