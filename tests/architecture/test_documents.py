"""What documents name exists: commands with their options, make's targets, files that are linked to."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pagerd.cli.pagerctl import pagerctl
from pagerd.cli.pagerd import main_group

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "tests").rglob("*.md")])
PROGRAMS = {"pagerd": main_group, "pagerctl": pagerctl}
FENCE = re.compile(r"^```(?:sh|console|text)?\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:pagerd|pagerctl|make) [^`\n]+)`")
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")


def lines(document: Path) -> Iterator[str]:
    """Give the command lines of a document."""
    text = document.read_text("utf-8")
    for block in FENCE.findall(text):
        for line in block.splitlines():
            words = re.sub(r"^\$ ", "", line.strip()).partition("  ")[0]
            if re.match(r"(pagerd|pagerctl|make) [a-z-]", words):
                yield words.partition(" #")[0]
    for line in INLINE.findall(text):
        if re.match(r"(pagerd|pagerctl|make) [a-z-]", line):
            yield line


def unknown(line: str) -> str | None:
    """Return what of a command line does not exist."""
    for one in re.split(r" && | \| ", line):
        words = shlex.split(one.replace("…", "").replace("|", " "), posix=True)
        if words[0] == "make":
            bad = [
                word for word in words[1:] if "=" not in word and f"\n{word}:" not in (ROOT / "Makefile").read_text()
            ]
        elif words[0] in PROGRAMS:
            bad = _unknown_words(PROGRAMS[words[0]], words[1:])
        else:
            continue
        if bad:
            return f"{line!r}: {bad}"
    return None


def _unknown_words(command: Any, words: list[str]) -> list[str]:
    """Return the subcommands and options of a line that there are not."""
    while words and hasattr(command, "commands") and not words[0].startswith("-"):
        if words[0] == "ctl":
            return _unknown_words(pagerctl, words[1:])
        if words[0] not in command.commands:
            return [words[0]]
        command, words = command.commands[words[0]], words[1:]
    known = {option for param in command.params for option in (*param.opts, *param.secondary_opts)}
    known |= {"--help", "-h", "--version"}
    return [word for word in words if word.startswith("-") and word != "-" and word.partition("=")[0] not in known]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_and_link_of_a_document_exists(document: Path) -> None:
    assert [problem for line in lines(document) if (problem := unknown(line))] == []
    linked = LINK.findall(document.read_text("utf-8"))
    assert [target for target in linked if not (document.parent / target).exists()] == []


def test_what_does_not_exist_is_noticed() -> None:
    assert unknown("pagerd serve --prot 3")
    assert unknown("pagerd sevre")
    assert unknown("make tests")
    assert unknown("pagerd ctl sessions lits")
    assert unknown("pagerctl send order-shipped people.csv --skip-invalid --yes") is None
    assert unknown("pagerd dev --port 0 && make demo KILL=1") is None


def test_the_readme_shows_the_two_commands() -> None:
    found = list(lines(ROOT / "README.md"))
    assert "make demo" in found
    assert "make demo KILL=1" in found
    assert any(line.startswith("pagerd dev") or line == "make run" for line in found)


def test_ci_runs_exactly_the_test_command() -> None:
    lines = [line for line in (ROOT / ".ci" / "run").read_text("utf-8").splitlines() if line and line[0] != "#"]
    assert lines[-1].endswith("make --no-print-directory test")
    assert any(line.startswith("export CI=") for line in lines)
    recipe = (ROOT / "Makefile").read_text("utf-8").partition("\ntest:")[2].partition("\n\n")[0].splitlines()
    assert recipe[-1].strip().startswith("@$(PYTEST)"), "the test runner's closing line is the last one"
