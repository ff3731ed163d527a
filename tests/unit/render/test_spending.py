"""A template can't make gigabytes: each attempt ends as a refusal, in a child that would die of an allocation."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from pagerd.core.errors import Fault
from pagerd.core.templates import Parts, TemplateDraft
from pagerd.render.errors import RenderFailed
from pagerd.render.limits import FUEL, OUTPUT_CHARS
from pagerd.render.multiplying import fuel_for, multiplies, shown

Render = Callable[..., Parts]
MEMORY = 512 * 2**20
CHILD = """
import json, resource, sys
job = json.load(sys.stdin)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_AS, (job["memory"], job["memory"]))
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
from pagerd.core.policy import Channel
from pagerd.core.templates import TemplateDraft, Variant
from pagerd.render.compile import compile_template
from pagerd.render.errors import RenderFailed
variant = Variant(channel=Channel.EMAIL, locale="en", subject="s", text=job["text"])
compiled = compile_template(TemplateDraft(variants=[variant]))
data = {name: eval(value) for name, value in job["data"].items()}
try:
    print("made", len(compiled.variants[0].render(compiled.complete({}, data)).text))
except RenderFailed as failed:
    print(failed.code)
"""
GROW = "{% set ns = namespace(x='x' * 1024) %}{% for i in range(30) %}"
BOMBS = {
    "indent": ("{{ name|indent(n) }}", {"name": "'a\\nb'", "n": "2_000_000_000"}),
    "indent, many lines": ("{{ name|indent(n) }}", {"name": "'a\\n' * 200_000", "n": "20_000"}),
    "a block filter": ("{% filter indent(n) %}a\nb{% endfilter %}", {"n": "2_000_000_000"}),
    "a filter by name": ("{{ names|map('indent', n)|join }}", {"names": "['a\\nb'] * 5_000", "n": "400_000"}),
    "times": ("{% for i in range(n) %}{{ '=' * n }}{% endfor %}", {"n": "50_000"}),
    "range": ("{% for i in range(n) %}{% set x = range(n)|list %}{% endfor %}", {"n": "100_000"}),
    "chained replace": (
        "{{ name|replace('a', b)|replace('b', b)|replace('b', b) }}", {"name": "'a' * 1000", "b": "'b' * 1000"}
    ),
    "replace of nothing": ("{{ b|replace('', b) }}", {"b": "'b' * 100_000"}),
    "join": ("{{ names|join(b) }}", {"names": "['x'] * 10_000", "b": "'b' * 200_000"}),
    "format": ("{{ form|format('x') }}", {"form": "'%2000000000s'"}),
    "precision": ("{{ '%.2000000000f'|format(1.5) }}", {}),
    "batch": ("{{ names|batch(n, 'x')|list|length }}", {"names": "[1]", "n": "1_500_000_000"}),
    "slice": ("{{ names|slice(n)|list|length }}", {"names": "[1]", "n": "1_500_000_000"}),
    "tojson": ("{{ names|tojson(n) }}", {"names": "[[1], [2]]", "n": "1_500_000_000"}),
    "tilde": (GROW + "{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x|length }}", {}),
    "plus": (GROW + "{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x|length }}", {}),
    "lists": (
        "{% set ns = namespace(l=[]) %}{% for i in range(n) %}{% set ns.l = ns.l + [range(n)|list] %}{% endfor %}",
        {"n": "9000"},
    ),
    "lists of lists": ("{% set x = [1] %}" + "{% set x = [x, x] %}" * 40 + "{{ x }}", {}),
    "tuples": ("{% set x = 1 %}" + "{% set x = (x, x) %}" * 40 + "{{ x }}", {}),
    "mappings": ("{% set x = 1 %}" + "{% set x = {'a': x, 'b': x} %}" * 40 + "{{ x }}", {}),
    "a set block": (GROW + "{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}{% endfor %}{{ ns.x|length }}", {}),
    "set after set": ("{% set x = 'x' * 1024 %}" + "{% set x = x ~ x %}" * 30 + "{{ x|length }}", {}),
    "with in with": (
        "{% set x = 'x' * 1024 %}" + "{% with x = x ~ x %}" * 30 + "{{ x|length }}" + "{% endwith %}" * 30, {}
    ),
    "for in for": (
        "{% set x = 'x' * 999 %}" + "{% for x in [x ~ x] %}" * 30 + "{{ x|length }}" + "{% endfor %}" * 30, {}
    ),
    "a macro": (
        "{% macro f(x, n) %}{% if n %}{{ f(x ~ x, n - 1) }}{% endif %}{% endmacro %}{{ f(x, 30) }}", {"x": "'x' * 999"}
    ),
    "a big value per row": (
        "{% for row in rows %}{{ big }}{% endfor %}", {"rows": "[1] * 30_000", "big": "'b' * 500_000"}
    ),
    "a big text per row": ("{% for row in rows %}" + "x" * 100_000 + "{% endfor %}", {"rows": "[1] * 60_000"}),
    "a list per row": ("{% for row in rows %}{{ rows }}{% endfor %}", {"rows": "[1] * 30_000"}),
    "many prints": ("{{ big }}" * 20_000, {"big": "'b' * 500_000"}),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_what_would_take_gigabytes_is_refused(name: str) -> None:
    text, data = BOMBS[name]
    job = json.dumps({"text": text, "data": data, "memory": MEMORY})
    child = subprocess.run(
        [sys.executable, "-c", CHILD], input=job, capture_output=True, text=True, timeout=60, check=False
    )
    assert child.returncode == 0, child.stderr[-500:]
    assert child.stdout.strip() in ("output_too_large", "fuel_exhausted")


@pytest.mark.parametrize(
    ("source", "data"),
    [
        ("{{ x|indent(2) }}|{{ x|safe|indent(width=2, first=true) }}", {"x": "a\n<b>"}),
        ("{{ [x|safe, x]|join('<') }}|{{ [x, x]|join }}|{{ rows|join(', ', attribute='a') }}", {}),
        ("{{ x|replace('a', '<') }}|{{ x|replace('a', '<'|safe) }}|{{ 5|replace('5', '6') }}", {}),
        ("{{ rows|map(attribute='a')|join(',') }}|{{ rows|map('upper')|list }}", {}),
        ("{{ '%05.2f %s'|format(1.5, x) }}|{{ rows|batch(2, '-')|list }}|{{ rows|slice(2)|list }}", {}),
        ("{{ rows|tojson }}|{{ rows|tojson(indent=2) }}", {}),
        ("{% set y = x -%}  \n {{ y }}{%- set ns = namespace(n=0) %}{% for r in rows -%}\n {{ r.a }}{% endfor %}", {}),
        ("{% for k, v in rows[0].items() %}{{ k }}{% else %}-{% endfor %}{% set a, b = [1, 2] %}{{ a + b }}", {}),
        (
            "{% macro m(a, b=[1]) -%}  {{ a }}{{ caller(b) }}{%- endmacro %}{% call(y) m(2) %}x{{ y }}{% endcall %}",
            {},
        ),
        ("{% set u = missing %}{{ u is defined }}{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}", {}),
        ("{% filter upper %}{{ x }}{% endfilter %}{% set q %}{{ x }}{% endset %}{{ q }}", {}),
    ],
)
@pytest.mark.parametrize("ending", ["html", "txt", "json"])
def test_measured_or_not_the_same_comes_out(source: str, data: dict[str, Any], ending: str) -> None:
    from pagerd.render.engine import measuring_environment, new_environment
    from pagerd.render.spending import Spending

    known = {"x": "a\n<b>", "rows": [{"a": "<1>"}, {"a": 2}, {"a": None}]} | data
    quick, measuring = new_environment(), measuring_environment(Spending(), FUEL)
    quick.add_template(f"t.{ending}", source)
    measuring.add_template(f"t.{ending}", shown(source))
    assert measuring.render_template(f"t.{ending}", **known) == quick.render_template(f"t.{ending}", **known)


@pytest.mark.parametrize(
    "source", ["{{ missing|indent(2) }}", "{{ missing|replace('a', 'b') }}", "{{ range(missing) }}"]
)
def test_undefined_is_an_error_in_a_measured_filter_too(render: Render, source: str) -> None:
    with pytest.raises(RenderFailed):
        render("s", None, "{% if a %}{{ no }}{% endif %}" + source, data={"a": 0})


def test_one_rendering_does_not_pay_for_the_one_before(render: Render, draft: Callable[..., TemplateDraft]) -> None:
    from pagerd.render.compile import compile_template

    compiled = compile_template(draft("s", None, "{% for i in range(10) %}{{ big }}{% endfor %}"))
    for _ in range(20):
        text = compiled.variants[0].render(compiled.complete({}, {"big": "b" * (OUTPUT_CHARS // 20)})).text
        assert len(text) == OUTPUT_CHARS // 20 * 10


def test_a_loop_over_a_thousand_rows_of_thirty_values_is_ordinary(render: Render) -> None:
    row = {f"f{i}": "value" for i in range(30)}
    source = (
        "{% for r in rows %}" + "".join(f"<td class='cell'>{{{{ r.f{i} }}}}</td>" for i in range(30)) + "{% endfor %}"
    )
    assert len(render("s", source, "t", data={"rows": [row] * 1000}).html or "") > 500_000


def test_what_can_not_multiply_runs_unmeasured() -> None:
    assert not multiplies(
        "{% if a %}Hello {{ name|default('you')|title }}, {{ total * 2 }}{% endif %}{# for #} set range"
    )
    assert multiplies("{% for a in b %}{% endfor %}")
    assert multiplies("{{ a|indent(2) }}")
    assert multiplies("{{ a }}" * 100)


def test_long_text_in_a_loop_costs_fuel() -> None:
    assert fuel_for(["x" * 100_000 + "{% for a in b %}x{% endfor %}" + "y" * 100_000]) == FUEL
    assert fuel_for(["{% for a in b %}" + "x" * 100_000 + "{% endfor %}"]) < 2_000


@pytest.mark.parametrize("method", ["replace", "join", "format"])
def test_methods_that_can_not_be_measured_are_named_with_the_filter(
    draft: Callable[..., TemplateDraft], faults: Callable[[TemplateDraft], list[Fault]], method: str
) -> None:
    (fault,) = faults(draft("s", None, f"{{{{ name.{method}('a', 'b') }}}}"))
    assert (fault.code, fault.column) == ("method_not_filter", 9)
    assert f"|{method}(" in fault.detail


def test_a_tag_with_very_many_operators_is_refused(
    draft: Callable[..., TemplateDraft], faults: Callable[[TemplateDraft], list[Fault]]
) -> None:
    (fault,) = faults(draft("s", None, "{{ a" + " ~ a" * 65 + " }}"))
    assert fault.code == "tag_too_long"
