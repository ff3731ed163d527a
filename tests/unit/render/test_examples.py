"""The templates that come with Pager compile, and say something to everybody of the example audience."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from pagerd.client.folder import load
from pagerd.core.policy import Channel
from pagerd.render.compile import compile_template
from pagerd.render.compiled import CompiledTemplate
from pagerd.render.preview import preview

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture(scope="module")
def compiled() -> dict[str, CompiledTemplate]:
    return {found.name: compile_template(found.draft) for found in load(EXAMPLES / "templates")}


def test_all_are_there(compiled: dict[str, CompiledTemplate]) -> None:
    assert set(compiled) == {"login-code", "newsletter", "order-shipped"}


def test_each_variant_can_be_previewed_with_its_examples(compiled: dict[str, CompiledTemplate]) -> None:
    for name, template in compiled.items():
        for variant in template.variants:
            shown = preview(template, {}, locale=variant.locale)
            assert shown.html is not None, name
            assert "prefers-color-scheme: dark" in shown.html
            assert shown.text.strip()
            assert "{" not in shown.subject + shown.text
            assert "None" not in shown.subject + shown.text + shown.html


def test_text_is_derived_from_the_template_not_from_each_mail(compiled: dict[str, CompiledTemplate]) -> None:
    derived = [v for template in compiled.values() for v in template.variants if v.derives_text]
    assert derived
    assert all(variant._derived is not None for variant in derived)


def test_what_is_optional_can_be_left_out(compiled: dict[str, CompiledTemplate]) -> None:
    for template in compiled.values():
        examples = {v.name: v.example for v in template.variables if v.required}
        for variant in template.variants:
            parts = variant.render(template.complete({}, examples))
            assert "None" not in parts.subject + parts.text + str(parts.html)


def test_everybody_of_the_example_audience_gets_a_mail(compiled: dict[str, CompiledTemplate]) -> None:
    template = compiled["order-shipped"]
    completion = template.completion({})
    with (EXAMPLES / "people.csv").open(encoding="utf-8", newline="") as file:
        people = list(csv.DictReader(file))
    assert len(people) == 1000
    for person in people:
        variant = template.variant(Channel.EMAIL, person["locale"])
        assert variant is not None
        own = {
            "name": person["name"],
            "order": person["order"],
            "total": float(person["total"]),
            "city": person["city"],
        }
        parts = variant.render(completion.complete(own))
        assert person["order"] in parts.subject
        assert person["name"] in parts.text
        if person["city"]:
            assert person["city"] in parts.text
