"""How big and how long a template and what comes out of it may be."""

from __future__ import annotations

from typing import Final

SOURCE_BYTES: Final = 256 * 1024
"""One part of one variant, as its author wrote it."""

TAG_CHARS: Final = 4_000
"""One ``{{ … }}`` or ``{% … %}``: the engine walks expressions by recursion; a longer one could end the process."""

BRANCHES: Final = 200
"""``{% elif %}`` in one part, for the same reason."""

VARIANTS: Final = 200
"""Variants of one template."""

FUEL: Final = 250_000
"""Instructions of one rendering (about 5 ms); a loop over a thousand rows of thirty values takes 60,000."""

OUTPUT_CHARS: Final = 2 * 1024 * 1024
"""One rendered part."""

HEADER_CHARS: Final = 2_000
"""One rendered header or name: a subject that long is a mistake."""

BUILT_CHARS: Final = 4 * OUTPUT_CHARS
"""What one rendering may build on its way: prints (also into ``set`` blocks), carried values, ranges."""

LOOPED_CHARS: Final = 64 * 1024 * 1024
"""What the text between the tags of loops could come to before the fuel ends."""

PLAIN_USES: Final = 64
"""Prints and operators of a template that runs unmeasured."""

OPERATORS: Final = 64
"""``~``, ``+`` and ``*`` in one tag: each can double what it is given."""

HEADERS: Final = 50
"""Headers of one record."""

LINE_BYTES: Final = 998
"""One line of a mail without its CRLF (RFC 5322, section 2.1.1)."""
