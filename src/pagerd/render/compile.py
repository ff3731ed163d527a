"""From a draft to a compiled template, or to everything that is wrong with it, at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from pagerd.core.errors import Fault, Invalid
from pagerd.core.policy import Channel
from pagerd.core.templates import PARTS, TemplateDraft, Variant
from pagerd.core.variables import Variable
from pagerd.render.addresses import read_mailbox
from pagerd.render.check import check_part
from pagerd.render.compiled import CompiledTemplate
from pagerd.render.engines import Engines
from pagerd.render.faults import Part
from pagerd.render.limits import HEADERS, VARIANTS
from pagerd.render.locales import canonical, well_formed
from pagerd.render.mail_variant import MailVariant
from pagerd.render.plain_text import text_template
from pagerd.render.record_variant import RecordVariant
from pagerd.render.source import tidied
from pagerd.render.text_variant import TextVariant
from pagerd.render.variables import check_variables, inferred
from pagerd.render.variant import CompiledVariant

_HEADER: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")


def compile_template(draft: TemplateDraft) -> CompiledTemplate:
    """Return the template, compiled; raise :class:`Invalid` with every fault, each where its author will find it."""
    faults = [*_whole(draft), *_variants(draft)]
    declared = None if draft.variables is msgspec.UNSET else {variable.name for variable in draft.variables}
    names: set[str] = set()
    for part in _parts(draft):
        checked = check_part(part, declared)
        faults += checked.faults
        names |= checked.names
    if faults:
        count = len(faults)
        raise Invalid(f"the template has {count} fault{'s' * (count > 1)}: {faults[0].detail}", faults=faults)
    variables = inferred(names) if draft.variables is msgspec.UNSET else tuple(draft.variables)
    return _compiled(draft, variables)


def _whole(draft: TemplateDraft) -> list[Fault]:
    """Return what is wrong with what all variants share."""
    faults = [] if draft.variables is msgspec.UNSET else check_variables(draft.variables)
    if draft.batch_size is not None and draft.batch_size < 1:
        faults.append(Fault(code="batch_size", detail="batch_size must be 1 or more", pointer="/batch_size"))
    for field, value in (("from", draft.sender), ("reply_to", draft.reply_to)):
        if value is None:
            continue
        try:
            read_mailbox(value)
        except Invalid as problem:
            faults.append(Fault(code=problem.code, detail=problem.detail, pointer=f"/{field}"))
    return faults


def _variants(draft: TemplateDraft) -> list[Fault]:
    """Return what is wrong with the variants as a set."""
    if not draft.variants:
        return [Fault(code="variants_missing", detail="a template needs at least one variant", pointer="/variants")]
    if len(draft.variants) > VARIANTS:
        detail = f"a template can have {VARIANTS} variants, not {len(draft.variants)}"
        return [Fault(code="too_many_variants", detail=detail, pointer="/variants")]
    faults: list[Fault] = []
    seen: set[tuple[Channel, str]] = set()
    for place, variant in enumerate(draft.variants):
        key = (variant.channel, canonical(variant.locale))
        if key in seen:
            faults.append(_fault(place, variant, "locale", "duplicate_variant", f"{_name(variant)} is there twice"))
        seen.add(key)
        faults += _one(place, variant)
    return faults


def _one(place: int, variant: Variant) -> Iterator[Fault]:
    """Yield what is wrong with one variant, its parts' sources apart."""
    if variant.channel not in PARTS:
        detail = f"templates for {variant.channel} are not supported yet"
        yield _fault(place, variant, "channel", "not_supported_yet", detail)
        return
    if not well_formed(variant.locale):
        detail = f"{variant.locale!r} is not a locale tag such as de, de-AT or zh-Hant-TW"
        yield _fault(place, variant, "locale", "locale_invalid", detail)
    yield from _strays(place, variant)
    if variant.channel is Channel.EMAIL:
        yield from _mail(place, variant)
    elif variant.channel is Channel.SMS:
        if not (variant.text or "").strip():
            yield _fault(place, variant, "text", "body_missing", f"{_name(variant)} has no text")
    else:
        yield from _record(place, variant)


def _strays(place: int, variant: Variant) -> Iterator[Fault]:
    """Yield a fault for each part that the channel has no place for."""
    own = PARTS[variant.channel]
    for field in sorted({part for parts in PARTS.values() for part in parts} - set(own)):
        if getattr(variant, field):
            detail = f"{variant.channel} has no {field}: its parts are {', '.join(own)}"
            yield _fault(place, variant, field, "not_for_channel", detail)


def _mail(place: int, variant: Variant) -> Iterator[Fault]:
    """Yield what a mail lacks."""
    if variant.subject is None or not variant.subject.strip():
        yield _fault(place, variant, "subject", "subject_missing", f"{_name(variant)} has no subject")
    if not (variant.html or "").strip() and not (variant.text or "").strip():
        yield _fault(place, variant, "html", "body_missing", f"{_name(variant)} has neither html nor text")


def _record(place: int, variant: Variant) -> Iterator[Fault]:
    """Yield what a record lacks, and names that its headers can't have."""
    if not (variant.json or "").strip():
        yield _fault(place, variant, "json", "body_missing", f"{_name(variant)} has no json")
    if len(variant.headers) > HEADERS:
        detail = f"{_name(variant)} has {len(variant.headers)} headers; {HEADERS} are the most"
        yield _fault(place, variant, "headers", "header_invalid", detail)
    for name in variant.headers:
        if not _HEADER.fullmatch(name):
            detail = f"{name!r} can't be a header's name: 1 to 100 letters, digits, - and _"
            yield _fault(place, variant, "headers", "header_invalid", detail)


def _name(variant: Variant) -> str:
    """Return ``email.de``."""
    return f"{variant.channel}.{variant.locale}"


def _fault(place: int, variant: Variant, field: str, code: str, detail: str) -> Fault:
    """Return a fault of a variant's field as a whole."""
    part = field if field in ("subject", "html", "text", "json", "key", "headers") else None
    return Fault(code=code, detail=detail, pointer=f"/variants/{place}/{field}", variant=_name(variant), part=part)


def _parts(draft: TemplateDraft) -> Iterator[Part]:
    """Yield every part that the variants hold."""
    for place, variant in enumerate(draft.variants[:VARIANTS]):
        for name in PARTS.get(variant.channel, ()):
            source = getattr(variant, name)
            if isinstance(source, str):
                yield Part(_name(variant), place, name, source)
        if variant.channel is Channel.KAFKA:
            for name, source in variant.headers.items():
                if _HEADER.fullmatch(name):
                    yield Part(_name(variant), place, f"headers/{name}", source)


def _compiled(draft: TemplateDraft, variables: tuple[Variable, ...]) -> CompiledTemplate:
    """Return the compiled form of a draft that has no faults."""
    sources: dict[str, str] = {}
    held: list[frozenset[str]] = []
    for variant in draft.variants:
        parts = _sources(variant)
        held.append(frozenset(parts))
        sources |= {f"{_name(variant)}.{part}": source for part, source in parts.items()}
    engines = Engines(sources)
    variants = (_variant(variant, engines, parts) for variant, parts in zip(draft.variants, held, strict=True))
    return CompiledTemplate(draft, variables, tuple(variants))


def _variant(variant: Variant, engines: Engines, parts: frozenset[str]) -> CompiledVariant:
    """Return the compiled form of a variant whose ``parts`` the engines hold."""
    name, locale = _name(variant), variant.locale
    if variant.channel is Channel.SMS:
        return TextVariant(name, locale, engines)
    if variant.channel is Channel.KAFKA:
        return RecordVariant(name, locale, engines, keyed="key" in parts, headers=tuple(variant.headers))
    return MailVariant(name, locale, engines, parts)


def _sources(variant: Variant) -> dict[str, str]:
    """Return what the engine is to compile for one variant, by part."""
    if variant.channel is Channel.SMS:
        return {"text": tidied(variant.text or "")}
    if variant.channel is Channel.KAFKA:
        keyed = {"key": variant.key} if variant.key and variant.key.strip() else {}
        headers = {f"headers/{name}": source for name, source in variant.headers.items()}
        return {"json": tidied(variant.json or ""), **keyed, **headers}
    return _mail_sources(variant)


def _mail_sources(variant: Variant) -> dict[str, str]:
    """Return a mail's sources; ``derived`` is the text that the HTML stands for."""
    parts = {"subject": (variant.subject or "").strip()}
    if variant.html and variant.html.strip():
        parts["html"] = tidied(variant.html)
    if variant.text and variant.text.strip():
        parts["text"] = tidied(variant.text)
    elif "html" in parts and (derived := text_template(parts["html"])) is not None:
        parts["derived"] = derived
    return parts
