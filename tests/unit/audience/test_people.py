"""The example audience: a thousand people, of whom three can't be told."""

from __future__ import annotations

import importlib.util
import unicodedata
from pathlib import Path

from pagerd.audience.files import FileKind, open_reader
from pagerd.audience.rows import Checked
from pagerd.audience.variables import Coercer
from pagerd.core.policy import Channel, OnInvalid
from pagerd.core.variables import Variable, VariableType

EXAMPLES = Path(__file__).parents[3] / "examples"
ORDER_SHIPPED = [
    Variable(name="name", required=True, type=VariableType.STRING),
    Variable(name="order", required=True, type=VariableType.STRING),
    Variable(name="total", required=True, type=VariableType.NUMBER),
    Variable(name="city", type=VariableType.STRING),
]

SCRIPTS = (
    "LATIN CYRILLIC GREEK ARMENIAN GEORGIAN HEBREW ARABIC DEVANAGARI BENGALI TAMIL THAI ETHIOPIC CJK HIRAGANA"
    " KATAKANA HANGUL"
)


def people() -> list[Checked]:
    reader = open_reader(FileKind.CSV, Coercer(ORDER_SHIPPED), Channel.EMAIL, OnInvalid.SKIP)
    found = [p for some in reader.feed((EXAMPLES / "people.csv").read_bytes()) for p in some]
    found += [p for some in reader.end() for p in some]
    assert reader.ignored_columns == ()
    return found


def test_they_are_a_thousand_and_one_address_is_none() -> None:
    found = people()
    assert len(found) == 1000
    [(line, flaw)] = [(p.recipient.line, p.recipient.flaw) for p in found if p.recipient.flaw]
    assert 300 < line < 700
    assert flaw is not None
    assert flaw.code == "address_invalid"


def test_nobody_is_there_twice_and_two_are_refused() -> None:
    addresses = [p.normalised for p in people() if p.normalised]
    assert len(set(addresses)) == 999
    assert [a for a in addresses if a.endswith("@refused.example.com")] == [
        "nobody@refused.example.com",
        "ghost@refused.example.com",
    ]


def test_nothing_can_reach_a_real_person() -> None:
    domains = {p.normalised.rpartition("@")[2] for p in people() if p.normalised}
    assert {".".join(domain.split(".")[-2:]) for domain in domains} == {"example.com", "example.org", "example.net"}


def test_they_are_of_the_whole_world() -> None:
    found = people()
    assert len({p.recipient.locale for p in found}) == 40
    letters = {unicodedata.name(letter, "").partition(" ")[0] for p in found for letter in p.recipient.data["name"]}
    assert letters >= set(SCRIPTS.split())
    assert sum(not p.recipient.address.isascii() for p in found) == 2
    assert sum("xn--" in p.recipient.address for p in found) == 4
    assert sum('"' in p.recipient.data["name"] for p in found) == 2
    assert sum("city" not in p.recipient.data for p in found) > 50


def test_the_file_is_what_its_script_writes() -> None:
    spec = importlib.util.spec_from_file_location("make_people", EXAMPLES / "make_people.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.as_csv().encode() == (EXAMPLES / "people.csv").read_bytes()
