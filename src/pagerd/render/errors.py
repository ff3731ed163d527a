"""What can go wrong with one person's message."""

from __future__ import annotations

from pagerd.core.errors import Fault, Invalid


class RenderFailed(Invalid):
    """The message could not be made for this person.

    ``code`` says why: ``undefined_variable``, ``missing_variable``, ``data_too_deep``, ``filter_error``,
    ``template_error``, ``fuel_exhausted``, ``output_too_large``, ``header_injection``, ``header_too_long``,
    ``address_unsafe``, ``json_malformed``, ``body_missing``.
    ``detail`` may quote the template and the person's data: it is for people with the right to read them, never
    for a log. ``faults`` holds the one fault, with variant, part and line where they are known.
    """

    code = "render_failed"

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        variant: str | None = None,
        part: str | None = None,
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        fault = Fault(code=code, detail=detail, variant=variant, part=part, line=line, column=column)
        super().__init__(detail, faults=[fault], code=code)
