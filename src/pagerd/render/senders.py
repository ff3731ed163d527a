"""Who stands as the sender of a short message: a number, a short code, a name, or a service that chooses one."""

from __future__ import annotations

import re
from typing import Final

from pagerd.core.errors import Invalid

_NUMBER: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_SHORT_CODE: Final = re.compile(r"[0-9]{3,8}")
_NAME: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 +&_-]{1,11}")
_SERVICE: Final = re.compile(r"MG[0-9a-fA-F]{32}")


def check_sms_sender(text: str) -> None:
    """Raise :class:`Invalid` (``sender_invalid``) for what can't be the sender of a short message."""
    if not any(form.fullmatch(text) for form in (_NUMBER, _SHORT_CODE, _NAME, _SERVICE)):
        detail = (
            f"{text!r} can't send a short message: give a number like +43660123456, a short code, "
            "a name of at most 11 letters, digits and spaces, or a messaging service (MG…)"
        )
        raise Invalid(detail, code="sender_invalid")
