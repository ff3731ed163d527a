"""Recipients inside a JSON request."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagerd.audience.inline import read_inline, read_one
from pagerd.audience.variables import Coercer
from pagerd.core.errors import Invalid
from pagerd.core.policy import Channel, OnInvalid
from pagerd.core.recipients import Recipient
from pagerd.core.variables import Variable, VariableType

ORDER = Coercer(
    [
        Variable(name="name", required=True, type=VariableType.STRING),
        Variable(name="a/b~c", type=VariableType.NUMBER),
    ]
)


def test_recipients_and_their_places() -> None:
    given_ = [{"to": f"p{n}@x.org", "data": {"name": "A"}} for n in range(3)]
    people, faults = read_inline(given_, ORDER, Channel.EMAIL, OnInvalid.FAIL)
    assert [p.recipient for p in people] == [
        Recipient(f"p{n}@x.org", f"p{n}@x.org", n + 1, {"name": "A"}) for n in range(3)
    ]
    assert faults.count == 0
    faults.refuse()


def test_faults_point_into_the_body() -> None:
    people, faults = read_inline(
        [
            {"to": "a@x.org", "data": {"name": "A"}},
            {"to": "nobody", "data": {"name": 1, "a/b~c": "x", "nmae": 1}, "foo": 1},
            {"to": {"email": "c@x.org", "fax": 1}},
            "d@x.org",
        ],
        ORDER,
        Channel.EMAIL,
        OnInvalid.FAIL,
    )
    assert [(f.code, f.pointer) for f in faults.kept] == [
        ("address_invalid", "/audience/recipients/1/to"),
        ("field_unknown", "/audience/recipients/1/foo"),
        ("variable_type", "/audience/recipients/1/data/name"),
        ("variable_type", "/audience/recipients/1/data/a~1b~0c"),
        ("variable_unknown", "/audience/recipients/1/data/nmae"),
        ("field_unknown", "/audience/recipients/2/to/fax"),
        ("variable_missing", "/audience/recipients/2/data/name"),
        ("recipient_malformed", "/audience/recipients/3"),
    ]
    assert [p.recipient.to for p in people] == ["a@x.org"]
    with pytest.raises(Invalid) as refused:
        faults.refuse()
    assert (refused.value.count, refused.value.faults) == (8, tuple(faults.kept))


def test_under_skip_nobody_is_lost() -> None:
    people, faults = read_inline([{"to": "nobody"}, 5, "e@x.org"], ORDER, Channel.EMAIL, OnInvalid.SKIP)
    assert [(p.recipient.line, p.recipient.to, p.recipient.flaw.code) for p in people if p.recipient.flaw] == [
        (1, "nobody", "address_invalid"),
        (2, "", "recipient_malformed"),
        (3, "e@x.org", "recipient_malformed"),
    ]
    assert "required" in (people[0].recipient.flaw.detail if people[0].recipient.flaw else "")
    assert faults.count == 4


def test_a_flaw_tells_a_few_things_and_counts_the_rest() -> None:
    data = {f"x{n}": n for n in range(10)}
    people, faults = read_inline([{"to": "a@x.org", "data": data}], ORDER, Channel.EMAIL, OnInvalid.SKIP)
    [flaw] = [p.recipient.flaw for p in people]
    assert flaw is not None
    assert flaw.detail.endswith("; and 8 more")
    assert faults.count == 11


def test_one_message() -> None:
    assert read_one({"to": "a@x.org", "data": {"name": "A"}}, ORDER, Channel.EMAIL).recipient.address == "a@x.org"
    with pytest.raises(Invalid) as refused:
        read_one({"to": "nobody", "data": {}}, ORDER, Channel.EMAIL)
    assert [f.pointer for f in refused.value.faults] == ["/to", "/data/name"]
    assert "2 things" in refused.value.detail


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["to", "data", "id", "locale", "email", "name", "x\0"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(st.lists(JSON, max_size=4), st.sampled_from(OnInvalid), st.sampled_from(Channel))
def test_any_json_is_people_or_faults(body: list[Any], on_invalid: OnInvalid, channel: Channel) -> None:
    people, faults = read_inline(body, ORDER, channel, on_invalid)
    flawed = [p for p in people if p.recipient.flaw]
    if on_invalid is OnInvalid.SKIP:
        assert [p.recipient.line for p in people] == list(range(1, len(body) + 1))
        assert bool(flawed) == bool(faults.count)
    else:
        assert not flawed
        assert (len(people) < len(body)) == bool(faults.count)
