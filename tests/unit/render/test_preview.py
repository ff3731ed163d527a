"""A preview shows every part as it would leave."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pagerd.core.errors import Invalid
from pagerd.core.policy import Channel
from pagerd.core.templates import TemplateDraft
from pagerd.core.variables import Variable
from pagerd.render.compile import compile_template
from pagerd.render.compiled import CompiledTemplate
from pagerd.render.errors import RenderFailed
from pagerd.render.preview import RECIPIENT, SENDER, preview
from pagerd.render.readback import read


@pytest.fixture
def compiled(draft: Callable[..., TemplateDraft]) -> CompiledTemplate:
    variables = [Variable(name="name", required=True, example="Ada"), Variable(name="code", required=True)]
    return compile_template(draft("Hi {{ name }}", "<p>{{ code }}</p>", variables=variables))


def test_every_part_and_the_mail_itself(compiled: CompiledTemplate) -> None:
    shown = preview(compiled, {"code": "<1>"}, locale="en-GB", sender="Shop <hi@shop.example>", date=1_800_000_000)
    assert (shown.channel, shown.variant, shown.locale) == (Channel.EMAIL, "email.en", "en")
    assert (shown.sender, shown.to) == ("Shop <hi@shop.example>", RECIPIENT)
    assert (shown.subject, shown.text, shown.html) == ("Hi Ada", "<1>", "<p>&lt;1&gt;</p>")
    assert shown.text_derived
    assert shown.bytes == len(shown.source.encode())
    message = read(shown.source.encode())
    assert message["Subject"] == "Hi Ada"
    assert message["From"] == "Shop <hi@shop.example>"
    assert "2027" in str(message["Date"])


def test_data_goes_before_examples_and_what_is_missing_is_said(compiled: CompiledTemplate) -> None:
    assert preview(compiled, {"code": 1, "name": "Grace"}).subject == "Hi Grace"
    with pytest.raises(RenderFailed) as failed:
        preview(compiled, {})
    assert failed.value.code == "missing_variable"
    assert "code" in failed.value.detail


def test_the_sender_is_the_templates_own_or_invented(draft: Callable[..., TemplateDraft]) -> None:
    own = compile_template(draft("s", text="t", sender="Own <own@shop.example>", reply_to="help@shop.example"))
    assert preview(own, {}).sender == "Own <own@shop.example>"
    assert "Reply-To: help@shop.example" in preview(own, {}).source
    assert preview(compile_template(draft("s", text="t")), {}).sender == SENDER


def test_no_variant_for_a_channel(compiled: CompiledTemplate) -> None:
    with pytest.raises(Invalid) as refused:
        preview(compiled, {"code": 1}, channel=Channel.SMS)
    assert refused.value.code == "no_variant"
