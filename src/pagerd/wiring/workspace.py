"""The one workspace of this release."""

from typing import Final

WORKSPACE: Final = 1
