"""Templates on disk: read, written, and every mistake with file and line."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from pagerd.client.errors import BadFolder, NotPager
from pagerd.client.folder import load
from pagerd.client.folderwriting import write
from pagerd.client.tomltext import written
from pagerd.core.errors import Fault
from pagerd.core.policy import Channel
from pagerd.core.templates import TemplateDraft, Variant
from pagerd.core.variables import Variable, VariableType


def put(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


HTML = """+++
subject = "Your order {{ order }}"
+++
<p>Hi {{ name }}</p>
<p>It left.</p>
"""
TOML = """description = "When a parcel leaves"
from = "Shop <hi@shop.example>"

[[variables]]
name = "name"
required = true
type = "string"
example = "Ada"

[[variables]]
name = "total"
default = 0.5
"""


@pytest.fixture
def order(tmp_path: Path) -> Path:
    return put(
        tmp_path / "templates" / "order-shipped",
        **{
            "template.toml": TOML,
            "email.en.html": HTML,
            "email.en.txt": "Hi {{ name }}\n",
            "email.de.txt": '+++\nsubject = "Bestellung"\n+++\nHallo\n',
            "README.md": "notes",
        },
    )


def flaws(folder: Path) -> list[str]:
    with pytest.raises(BadFolder) as caught:
        load(folder)
    return [str(flaw).removeprefix(f"{folder}/") for flaw in caught.value.flaws]


def test_a_template_is_read(order: Path) -> None:
    (loaded,) = load(order.parent)
    assert loaded.name == "order-shipped"
    assert loaded.draft == TemplateDraft(
        description="When a parcel leaves",
        sender="Shop <hi@shop.example>",
        variables=[
            Variable(name="name", required=True, type=VariableType.STRING, example="Ada"),
            Variable(name="total", default=0.5),
        ],
        variants=[
            Variant(
                channel=Channel.EMAIL,
                locale="en",
                subject="Your order {{ order }}",
                html="<p>Hi {{ name }}</p>\n<p>It left.</p>\n",
                text="Hi {{ name }}\n",
            ),
            Variant(channel=Channel.EMAIL, locale="de", subject="Bestellung", text="Hallo\n"),
        ],
    )
    assert load(order)[0].draft == loaded.draft


@pytest.mark.parametrize(
    ("settings", "locales", "first"),
    [("", ["de", "en", "fr"], "en"), ("", ["fr", "de"], "de"), ('default_locale = "fr"', ["de", "en", "fr"], "fr")],
)
def test_the_default_locale_is_first(tmp_path: Path, settings: str, locales: list[str], first: str) -> None:
    put(
        tmp_path / "t",
        **{"template.toml": settings},
        **{f"email.{one}.txt": "+++\nsubject='x'\n+++\n" for one in locales},
    )
    assert load(tmp_path)[0].draft.variants[0].locale == first


def test_variables_may_be_tables_by_name(tmp_path: Path) -> None:
    put(tmp_path / "t", **{"template.toml": '[variables.total]\ntype = "number"\n', "email.en.txt": "x"})
    assert load(tmp_path)[0].draft.variables == [Variable(name="total", type=VariableType.NUMBER)]


def test_newlines_and_byte_order_marks_of_other_systems_are_understood(tmp_path: Path) -> None:
    folder = put(tmp_path / "t")
    (folder / "email.en.txt").write_bytes(b'\xef\xbb\xbf+++\r\nsubject = "x"\r\n+++\r\nHi\r\nthere\r\n')
    assert load(tmp_path)[0].draft.variants == [Variant(channel=Channel.EMAIL, subject="x", text="Hi\nthere\n")]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"email.en.html": "+++\nsubject = \n+++\nx"}, ["t/email.en.html:2:11: Invalid value"]),
        (
            {"email.en.html": '+++\nsubject = "a"\nx'},
            ["t/email.en.html:1: the front matter begins with +++ and is never closed by another +++"],
        ),
        (
            {"email.en.html": '+++\nsubjekt = "a"\n+++\nx'},
            ["t/email.en.html:2: 'subjekt' is unknown in front matter; did you mean 'subject'?"],
        ),
        ({"email.en.html": "+++\n\nsubject = 3\n+++\nx"}, ["t/email.en.html:3: subject must be text in quotes"]),
        (
            {"email.en.html": '+++\nsubject="a"\n+++\n', "email.en.txt": '+++\nsubject="b"\n+++\n'},
            ["t/email.en.txt:2: another file of email.en gives another subject"],
        ),
        (
            {"email.en.txt": "x", "template.toml": "description = 'a'\nfrm = 'b'\n"},
            ["t/template.toml:2: 'frm' is unknown here; did you mean 'from'?"],
        ),
        (
            {"email.en.txt": "x", "template.toml": "description = 'a'\n\nbatch_size = 'many'\n"},
            ["t/template.toml:3: Expected `int | null`, got `str` (batch_size)"],
        ),
        (
            {
                "email.en.txt": "x",
                "template.toml": "[[variables]]\nname='a'\n[[variables]]\nname = 'b'\ntype = 'nunber'\n",
            },
            ["t/template.toml:5: Invalid enum value 'nunber' (variables[1].type)"],
        ),
        (
            {"email.en.txt": "x", "template.toml": "[variables]\nname = 'b'\n"},
            ["t/template.toml:2: a variable is a table: [[variables]] with a name"],
        ),
        ({"email.en.txt": "x", "template.toml": "description = [1,\n"}, ["t/template.toml:2: Invalid value"]),
        (
            {"email.en.txt": "x", "template.toml": "default_locale = 'de'\n"},
            ["t/template.toml:1: default_locale is 'de', but there are only en"],
        ),
        ({"emial.en.txt": "x"}, ["t/emial.en.txt: 'emial' is no channel; did you mean 'email'?"]),
        (
            {"email.en.txt": "x", "email.txt": "x"},
            ["t/email.txt: is not named CHANNEL.LOCALE.html, .txt or .json, like email.en.html"],
        ),
        ({"email.en.mjml": "x"}, ["t/email.en.mjml: .mjml files are not supported yet: use .html, .txt or .json"]),
        ({"template.toml": ""}, ["t: has no variant: add a file such as email.en.html"]),
    ],
)
def test_every_mistake_has_its_place(tmp_path: Path, files: dict[str, str], said: list[str]) -> None:
    put(tmp_path / "t", **files)
    assert flaws(tmp_path) == said


def test_mistakes_of_all_templates_come_at_once(tmp_path: Path) -> None:
    put(tmp_path / "a", **{"emial.en.txt": "x", "sms.en.html.bak": "x"})
    put(tmp_path / "b", **{"email.en.txt": "+++\n"})
    assert len(flaws(tmp_path)) == 3


def test_a_file_that_is_not_utf_8_is_named_with_its_byte(tmp_path: Path) -> None:
    folder = put(tmp_path / "t")
    (folder / "email.en.txt").write_bytes(b"Hi\nGr\xfc\xdfe\n")
    assert flaws(tmp_path) == ["t/email.en.txt:2: is not UTF-8: byte 0xfc at offset 5"]


@pytest.mark.parametrize("shared", ["_layouts", "_partials"])
def test_layouts_and_partials_are_not_supported_yet(order: Path, shared: str) -> None:
    put(order.parent / shared, **{"base.html": "x"})
    assert flaws(order.parent) == [f"{shared}: shared layouts and partials are not supported yet"]


def test_a_folder_without_templates_says_what_one_is(tmp_path: Path) -> None:
    assert "holds no template" in flaws(tmp_path)[0]
    assert "is not a folder" in flaws(tmp_path / "gone")[0]


@pytest.mark.parametrize(
    ("fault", "place"),
    [
        (
            Fault(code="c", detail="d", pointer="/variants/0/html", part="html", variant="email.en", line=2, column=4),
            "email.en.html:5:4: d",
        ),
        (Fault(code="c", detail="d", part="text", variant="email.en", line=1, column=1), "email.en.txt:1:1: d"),
        (
            Fault(
                code="c",
                detail="d",
                pointer="/variants/0/subject",
                part="subject",
                variant="email/en",
                line=1,
                column=9,
            ),
            "email.en.html:2: d",
        ),
        (Fault(code="c", detail="d", pointer="/variants/1/text", part="text", line=1, column=2), "email.de.txt:4:2: d"),
        (Fault(code="c", detail="d", pointer="/variables/1/name"), "template.toml:11: d"),
    ],
)
def test_what_the_server_finds_is_a_place_in_a_file(order: Path, fault: Fault, place: str) -> None:
    (loaded,) = load(order)
    assert str(loaded.place(fault)) == f"{order}/{place}"


def test_what_is_written_is_read_back(order: Path, tmp_path: Path) -> None:
    (loaded,) = load(order)
    write(tmp_path / "pulled", "order-shipped", loaded.draft)
    assert load(tmp_path / "pulled")[0].draft == loaded.draft


@pytest.mark.parametrize(
    "draft",
    [
        TemplateDraft(
            variants=[Variant(channel=Channel.EMAIL, locale="fr", subject='"q" \\ \x7f \x01 ü', text="+++\nx")]
        ),
        TemplateDraft(
            variants=[
                Variant(channel=Channel.EMAIL, locale="fr", subject="a", html="<p>\n"),
                Variant(channel=Channel.EMAIL, locale="en", subject="b", html="x", text="no newline"),
                Variant(channel=Channel.SMS, locale="en", text=""),
            ],
            variables=[Variable(name="a-b c", default={"x y": [1, True, "z"]}, example=1e300), Variable(name="b")],
            batch_size=7,
        ),
        TemplateDraft(variants=[Variant(channel=Channel.SMS, locale="zh-Hant-TW", text="x")], variables=[]),
    ],
)
def test_strange_drafts_survive_the_disk(tmp_path: Path, draft: TemplateDraft) -> None:
    write(tmp_path, "t", draft)
    assert load(tmp_path)[0].draft == draft


def test_variants_that_are_gone_go_from_the_disk(order: Path) -> None:
    (loaded,) = load(order)
    write(order.parent, order.name, msgspec.structs.replace(loaded.draft, variants=list(loaded.draft.variants[:1])))
    assert sorted(path.name for path in order.iterdir()) == [
        "README.md",
        "email.en.html",
        "email.en.txt",
        "template.toml",
    ]


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "", "x" * 300])
def test_no_server_chooses_where_to_write(tmp_path: Path, name: str) -> None:
    draft = TemplateDraft(variants=[Variant(channel=Channel.EMAIL, text="x")])
    with pytest.raises(NotPager, match="can't be a folder's name"):
        write(tmp_path / "in", name, draft)
    hostile = TemplateDraft(variants=[Variant(channel=Channel.EMAIL, locale="../../x", text="x")])
    with pytest.raises(NotPager, match="can't be a file's name"):
        write(tmp_path / "in", "ok", hostile)
    assert not list(tmp_path.rglob("*.txt"))


def test_toml_is_written_as_toml() -> None:
    assert written({"a b": [1, None, 'x"'], "c": None}) == '{"a b" = [1, "x\\""]}'


RECORD = Variant(
    channel=Channel.KAFKA, json='{"name": {{ name }}}\n', key="{{ id }}", headers={"trace": '"{{ id }}"', "a-b": "x"}
)


def test_texts_and_records_come_back_as_they_were(tmp_path: Path) -> None:
    draft = TemplateDraft(variants=[RECORD, Variant(channel=Channel.SMS, text="Hi {{ name }}\n")])
    path = write(tmp_path, "told", draft)
    assert sorted(file.name for file in path.iterdir()) == ["kafka.en.json", "sms.en.txt", "template.toml"]
    (loaded,) = load(tmp_path)
    assert loaded.draft == draft


def test_a_records_faults_are_places_in_its_file(tmp_path: Path) -> None:
    path = write(tmp_path, "told", TemplateDraft(variants=[RECORD]))
    (loaded,) = load(tmp_path)
    lines = (path / "kafka.en.json").read_text().splitlines()
    for part, text in (("headers/trace", "headers"), ("key", "key"), ("json", '{"name"')):
        fault = Fault(code="x", detail="d", pointer=f"/variants/0/{part}", variant="kafka.en", part=part, line=1)
        assert lines[loaded.place(fault).line - 1].startswith(text)


def test_front_matter_that_is_no_front_matter(tmp_path: Path) -> None:
    put(tmp_path / "told", **{"kafka.en.json": "+++\nkey = 1\nheaders = { a = 1 }\nkye = 'x'\n+++\n1\n"})
    with pytest.raises(BadFolder) as refused:
        load(tmp_path)
    assert [flaw.line for flaw in refused.value.flaws] == [2, 3, 4]
