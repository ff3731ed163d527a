"""The other commands: what they ask, print and answer with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import pytest

HOSTILE = "\x1b]0;owned\x07\u202eevil\n"


@pytest.fixture
def session(desk, environ) -> str:
    """A session of seven people: three told, two failed, one rejected, one to go."""
    from pagerd.client import Pager

    with Pager() as pager:
        made = pager.sessions.send("news", recipients=[f"p{n}@example.com" for n in range(7)])
    desk.settle(made.id, count=3)
    desk.settle(made.id, "failed", 2, **{"class": "permanent_address", "code": "550 5.1.1"})
    desk.settle(made.id, "rejected", 1, **{"class": "invalid", "code": "address_invalid"})
    return made.id


def test_sessions_are_listed(desk, run, session: str) -> None:
    out = run("sessions", "list").stdout.splitlines()
    assert out[0].split() == ["SESSION", "STATE", "TEMPLATE", "PEOPLE", "TOLD", "NOT", "TOLD", "CREATED"]
    assert out[1].split() == ["ses_0001", "running", "news", "7", "3", "3", "2026-11-22T10:00:00Z"]
    assert [one["id"] for one in json.loads(run("sessions", "list", "--json").stdout)] == ["ses_0001"]
    assert run("sessions", "list", "--state", "completed").stderr.startswith("there are no sessions")


def test_a_session_is_shown(run, session: str) -> None:
    out = run("sessions", "show", session).stdout
    assert "running: told 3 of 7, not told 3, to go 1\n" in out
    assert "told 3 + withheld 0 + not told 3 + in doubt 0 + to go 1 = 7\n" in out
    assert "2  failed    permanent_address  550 5.1.1\n1  rejected  invalid            address_invalid\n" in out
    assert json.loads(run("sessions", "show", session, "--json").stdout)["told"] == 3


def test_people_are_listed(run, session: str) -> None:
    told = run("sessions", "recipients", session, "--state", "accepted").stdout
    assert [line.split()[:3] for line in told.splitlines()[1:]] == [
        [str(n + 1), f"p{n}@example.com", "accepted"] for n in range(3)
    ]
    missed = run("sessions", "recipients", session, "--not-told").stdout
    assert [line.split()[0] for line in missed.splitlines()[1:]] == ["4", "5", "6"]
    by_reason = run("sessions", "recipients", session, "--reason", "invalid", "--json")
    assert [one["line"] for one in json.loads(by_reason.stdout)] == [6]
    some = run("sessions", "recipients", session, "--limit", "2")
    assert len(some.stdout.splitlines()) == 3
    assert "these are the first 2; --limit 0 shows all" in some.stderr
    assert run("sessions", "recipients", session, "--state", "unknown").stderr == "nobody\n"
    assert run("sessions", "recipients", session, "--state", "failed", "--not-told").exit_code == 2


def test_batches_are_listed(run, session: str) -> None:
    out = run("sessions", "batches", session).stdout.splitlines()
    assert [line.split()[:3] for line in out[1:]] == [["1", "succeeded", "5"], ["2", "succeeded", "2"]]


def test_a_session_is_paused_resumed_cancelled_and_run_again(desk, run, session: str) -> None:
    assert run("sessions", "pause", session, "--reason", "lunch").stdout.startswith("ses_0001  paused (lunch): told 3")
    assert run("sessions", "resume", session).stdout.startswith("ses_0001  running: told 3")
    assert run("sessions", "cancel", session).stdout.startswith("ses_0001  cancelled: told 3 of 7, not told 4")
    again = run("sessions", "redrive", session, "--state", "failed", "--code", "550 5.1.1", "--force")
    assert desk.last("POST /v1/sessions/ses_0001/redrive").json == {
        "where": {"state": "failed", "code": "550 5.1.1"},
        "force": True,
    }
    assert "follow it:  pagerctl sessions watch ses_0001" in again.stdout
    run("sessions", "redrive", session)
    assert desk.last("POST /v1/sessions/ses_0001/redrive").json == {}


def test_watching_tells_every_event_as_a_line_of_json(desk, process, session: str) -> None:
    import threading

    def finish() -> None:
        with desk.changed:
            desk.changed.wait_for(lambda: desk.heard, 20)
        desk.settle(session)

    thread = threading.Thread(target=finish)
    thread.start()
    heard = desk.events

    def events(asked, id):
        for frame in heard(asked, id):
            yield frame
            with desk.changed:
                desk.changed.notify_all()

    desk.events = events
    done = process("sessions", "watch", session, "--json")
    thread.join()
    assert done.returncode == 3, done.stderr
    views = [json.loads(line) for line in done.stdout.splitlines()]
    assert [view["told"] for view in views] == [3, 4]
    assert done.stderr == ""


def test_watching_on_a_terminal_shows_a_bar_and_the_end(desk, terminal, session: str) -> None:
    person = terminal("sessions", "watch", session)
    person.wait_for("told 3 of 7")
    desk.settle(session)
    assert person.end() == 3
    assert "told 4 + withheld 0 + not told 3" in person.seen


def test_ctrl_c_while_watching_leaves_it_running(desk, terminal, session: str) -> None:
    person = terminal("sessions", "watch", session)
    person.wait_for("told 3 of 7")
    os.killpg(person.process.pid, signal.SIGINT)
    assert person.end() == 130
    assert "goes on without you" in person.seen


def test_watching_only_so_long(run, session: str) -> None:
    result = run("sessions", "watch", session, "--wait", "0.2")
    assert result.exit_code == 5
    assert "it goes on; look again" in result.stdout


def test_a_session_that_is_not_there(run) -> None:
    for command in ("show", "watch", "pause", "recipients"):
        result = run("sessions", command, "ses_none")
        assert (result.exit_code, result.stderr) == (1, "error: There is no session ses_none.\n")


def test_why_tells_the_whole_story(desk, run, session: str) -> None:
    told = run("why", "p0@example.com").stdout
    assert told.splitlines()[0] == "2026-11-22T10:00:00Z  news  ses_0001 line 1"
    assert "  accepted\n" in told
    assert "mail: ok 250 2.0.0 queued" in told
    missed = run("why", "p3@example.com").stdout
    assert "failed: permanent_address 550 5.1.1 (will not pass by itself)" in missed
    assert desk.last("POST /v1/recipients/search").json == {"to": "p3@example.com"}
    assert run("why", "x@example.com").stderr.startswith("nobody has been told anything at x@example.com")
    assert json.loads(run("why", "p0@example.com", "--json").stdout)[0]["recipient"]["line"] == 1
    run("why", "p0@example.com", "--since", "7d", "--session", session)
    assert desk.last("POST /v1/recipients/search").json.keys() == {"to", "session", "since"}
    assert run("why", "p0@example.com", "--since", "soon").exit_code == 2


def test_why_makes_visible_what_strangers_wrote(desk, run, session: str) -> None:
    person = desk.sessions[session].people[3]
    person["reason"] = {"class": "permanent_address", "code": HOSTILE}
    out = run("why", "p3@example.com").output + run("sessions", "recipients", session).output
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "\\x1b]0;owned\\x07\\u202eevil\\n" in out
    shown = run("why", "p3@example.com", "--json").stdout
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert json.loads(shown)[0]["recipient"]["reason"]["code"] == HOSTILE


FILES = {
    "template.toml": 'description = "x"\n\n[[variables]]\nname = "name"\n',
    "email.en.html": '+++\nsubject = "Hi"\n+++\n<p>\n{{ name }}\n',
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("hello", "bye"):
        (tmp_path / "templates" / name).mkdir(parents=True)
        for file, text in FILES.items():
            (tmp_path / "templates" / name / file).write_text(text)
    return tmp_path / "templates"


def test_templates_are_pushed_and_published(desk, run, folder: Path) -> None:
    first = run("templates", "push", str(folder), "--yes")
    assert first.exit_code == 0, first.output
    assert first.stderr == "added      bye\nadded      hello\n"
    assert "saved 2 drafts; sessions use them once they are published" in first.stdout
    (folder / "hello" / "email.en.html").write_text('+++\nsubject = "Hello"\n+++\n<p>\n{{ name }}\n')
    second = run("templates", "push", str(folder), "--publish", "--yes")
    assert second.stderr == "unchanged  bye\nmodified   hello  email.en\n"
    assert second.stdout == "published  bye@1\npublished  hello@1\n"
    third = run("templates", "push", str(folder), "--publish", "--yes", "--json")
    assert [(one["kind"], one["version"]) for one in json.loads(third.stdout)] == [("unchanged", 1), ("unchanged", 1)]
    assert desk.count("PUT /v1/templates") == 3


def test_pushing_asks_first(desk, run, terminal, folder: Path) -> None:
    nobody = run("templates", "push", str(folder))
    assert nobody.exit_code == 2
    assert "add --yes" in nobody.stderr
    person = terminal("templates", "push", str(folder))
    person.wait_for("Save 2 drafts")
    person.type("n\n")
    assert person.end() == 1
    assert "nothing was changed" in person.seen
    assert desk.count("PUT") == 0
    person = terminal("templates", "push", str(folder))
    person.wait_for("Save 2 drafts")
    person.type("y\n")
    assert person.end() == 0
    assert desk.count("PUT") == 2


def test_mistakes_in_files_come_with_file_and_line(desk, run, folder: Path) -> None:
    (folder / "hello" / "email.en.html").write_text('+++\nsubject = "Hi\n+++\nx')
    (folder / "bye" / "template.toml").write_text("descriptoin = 'x'\n")
    result = run("templates", "push", str(folder), "--yes")
    assert result.exit_code == 1
    assert f"error: {folder}/bye/template.toml:1: 'descriptoin' is unknown here; did you mean 'description'?" in (
        result.stderr
    )
    assert f"  {folder}/hello/email.en.html:2:14: " in result.stderr
    assert desk.count("PUT") == 0


def test_what_the_server_finds_comes_with_file_and_line(desk, run, folder: Path) -> None:
    (folder / "hello" / "email.en.html").write_text('+++\nsubject = "Hi"\n+++\n<p>\n{{ }}\n')
    result = run("templates", "push", str(folder), "--publish", "--yes")
    assert result.exit_code == 1
    assert result.stderr.endswith(f"error: {folder}/hello/email.en.html:5:1: empty expression\n")
    assert desk.count("POST /v1/templates") == 0


def test_templates_are_pulled(desk, run, folder: Path, tmp_path: Path) -> None:
    run("templates", "push", str(folder), "--yes")
    pulled = run("templates", "pull", str(tmp_path / "copy"))
    assert pulled.exit_code == 0, pulled.output
    assert (tmp_path / "copy" / "hello" / "email.en.html").read_text() == FILES["email.en.html"]
    assert (tmp_path / "copy" / "news" / "email.en.txt").exists()
    (tmp_path / "copy" / "hello" / "email.en.html").write_text("mine")
    assert run("templates", "pull", str(tmp_path / "copy"), "hello").exit_code == 2
    assert (tmp_path / "copy" / "hello" / "email.en.html").read_text() == "mine"
    again = run("templates", "pull", str(tmp_path / "copy"), "hello", "--yes")
    assert again.stdout == f"wrote 1 template into {tmp_path}/copy\n"


def test_templates_are_listed_published_and_previewed(desk, run, folder: Path) -> None:
    run("templates", "push", str(folder), "--yes")
    listed = run("templates", "list").stdout.splitlines()
    assert listed[1].split() == ["news", "1", "email.en"]
    assert "not published" in listed[2]
    assert run("templates", "publish", "hello", "bye").stdout == "published  hello@1\npublished  bye@1\n"
    shown = run("templates", "preview", "news", "--data", "name=Ada", "--data", "total=3", "--locale", "en")
    assert "subject: Dear {{ name }}\n" in shown.stdout
    assert "--- text\nHi {'name': 'Ada', 'total': 3}\nBye\n" in shown.stdout
    Path("ada.json").write_text('{"name": "Ada"}')
    run("templates", "preview", "news@1", "--data-file", "ada.json")
    assert desk.last("POST /v1/templates/news/preview").json == {"data": {"name": "Ada"}, "version": 1}
    assert run("templates", "preview", "news@x").exit_code == 2


def test_one_is_sent_to_an_address_to_try_a_template(desk, run, folder: Path) -> None:
    run("templates", "push", str(folder), "--yes")
    assert run("templates", "test", "hello", "me@example.com").exit_code == 1, "a draft is not sent"
    assert desk.count("POST /v1/messages") == 0
    run("templates", "publish", "hello", "bye")
    tried = run("templates", "test", "news", "me@example.com", "--data", "name=Ada", "--locale", "en", "--wait", "0")
    assert tried.exit_code == 5, "nobody worked on it"
    assert "news@1 to me@example.com" in tried.stdout
    assert "pagerctl why me@example.com" in tried.stdout
    asked = desk.last("POST /v1/messages").json
    assert (asked["to"], asked["template"], asked["locale"]) == ("me@example.com", "news@1", "en")
    assert asked["data"]["name"] == "Ada"

    def work() -> None:
        deadline = time.monotonic() + 10
        while "ses_0002" not in desk.sessions and time.monotonic() < deadline:
            with desk.changed:
                desk.changed.wait(0.01)
        desk.settle("ses_0002")

    worker = Thread(target=work)
    worker.start()
    assert run("templates", "test", "news", "me@example.com", "--wait", "10").exit_code == 0
    worker.join()
    assert run("templates", "test", "news@7", "me@example.com").exit_code == 2


def test_providers_are_set_up_tried_and_paused(desk, run) -> None:
    Path("secret").write_text("hunter2\n")
    made = run(
        *("providers", "set", "mail", "--kind", "smtp", "--setting", "url=smtp://127.0.0.1:25", "--setting", "port=25"),
        *("--setting", "tls=false", "--from", "Shop <hi@shop.example>", "--credential-file", "secret"),
    )
    assert made.exit_code == 0, made.output
    assert desk.last("PUT /v1/providers/mail").json == {
        "kind": "smtp",
        "settings": {"url": "smtp://127.0.0.1:25", "port": 25, "tls": False},
        "credential": "hunter2",
        "from": "Shop <hi@shop.example>",
        "enabled": True,
    }
    assert "hunter2" not in made.output
    run("providers", "set", "mail", "--kind", "smtp", "--disabled")
    assert "credential" not in desk.last("PUT /v1/providers/mail").json
    assert "disabled" in run("providers", "show", "mail").stdout
    run("providers", "set", "bad", "--kind", "broken")
    assert run("providers", "test", "mail").exit_code == 0
    assert run("providers", "test", "bad").exit_code == 1
    assert "paused (too slow)" in run("providers", "pause", "mail", "--reason", "too slow").stdout
    assert "paused" not in run("providers", "resume", "mail").stdout
    assert [one["name"] for one in json.loads(run("providers", "list", "--json").stdout)] == ["mail", "bad"]
    assert run("providers", "set", "x", "--kind", "smtp", "--channel", "pigeon").exit_code == 2


def test_a_provider_of_the_configuration_file_is_left_alone(desk, run) -> None:
    run("providers", "set", "mail", "--kind", "smtp")
    desk.providers["mail"]["managed_by"] = "file"
    result = run("providers", "set", "mail", "--kind", "smtp")
    assert (result.exit_code, result.stderr) == (1, "error: it stands in pagerd.toml\n")


def test_the_doctor_finds_all_well(run, url: str) -> None:
    result = run("doctor")
    assert result.exit_code == 0, result.output
    assert f"ok  configuration   {url} (from the environment)" in result.stdout
    assert "ok  clock           agrees with the server's" in result.stdout
    assert "ok  store" in result.stdout


def test_the_doctor_passes_on_the_servers_remedies(desk, run) -> None:
    check = {"name": "disk", "ok": False, "detail": "12 MB are left", "remedy": "make room on /var/lib/pagerd"}
    desk.ready = {"ready": False, "checks": [check]}
    result = run("doctor")
    assert result.exit_code == 1
    assert "no  disk            12 MB are left\n    do: make room on /var/lib/pagerd\n" in result.stdout
    findings = {one["name"]: one["ok"] for one in json.loads(run("doctor", "--json").stdout)}
    assert findings["server"]
    assert not findings["ready"]


def test_the_doctor_sees_a_bad_key(run, environ) -> None:
    Path(environ["PAGERCTL_KEY_FILE"]).write_text("pgr_live_wrong")
    result = run("doctor")
    assert result.exit_code == 1
    assert "no  key is known    The key is not known." in result.stdout


def test_the_doctor_sees_that_nobody_is_there(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGERCTL_URL", "http://127.0.0.1:1")
    result = run("doctor")
    assert result.exit_code == 1
    assert "no  server          nothing answers at http://127.0.0.1:1" in result.stdout


def test_the_doctor_sees_that_nothing_is_configured(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PAGERCTL_URL")
    result = run("doctor")
    assert result.exit_code == 1
    assert "no  configuration   no server to ask is known" in result.stdout
    other = run("sessions", "list")
    assert other.exit_code == 1
    assert other.stderr.startswith("error: no server to ask is known\ndo: start one with `pagerd dev`")


def test_a_wrong_key_says_what_to_do(run, environ) -> None:
    Path(environ["PAGERCTL_KEY_FILE"]).write_text("pgr_live_wrong")
    result = run("sessions", "list")
    assert result.exit_code == 1
    assert result.stderr == "error: The key is not known.\ndo: look which key is used: pagerctl doctor\n"


def test_options_come_before_the_environment(run, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = tmp_path / "other.key"
    key.write_text((tmp_path / "live.key").read_text())
    monkeypatch.setenv("PAGERCTL_URL", "http://127.0.0.1:1")
    assert run("sessions", "list", "--url", url, "--key-file", str(key)).exit_code == 0


def test_nothing_is_coloured_off_a_terminal(process, session: str) -> None:
    for args in (["sessions", "show", session], ["doctor"], ["--help"], ["send", "--help"], ["nonsense"]):
        done = process(*args, env={"GITHUB_ACTIONS": "true", "TERM": "xterm-256color"})
        assert "\x1b" not in done.stdout + done.stderr, args


def test_a_broken_pipe_is_no_error_in_words(environ, session: str) -> None:
    command = f"{sys.executable} -m pagerd.cli.pagerctl sessions recipients {session} --json | head -c 5"
    done = subprocess.run(
        ["/bin/sh", "-c", command], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ('[{"id', "")


def test_a_bug_shows_no_traceback_unless_it_is_asked_for(desk, process) -> None:
    desk.templates["news"]["draft"] = None
    done = process("templates", "list")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("error: the server's answer can't be read")
    debugged = process("templates", "list", env={"PAGERCTL_DEBUG": "1"})
    assert "Traceback" in debugged.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed(run, shell: str) -> None:
    result = run("completion", shell)
    assert result.exit_code == 0
    assert "_PAGERCTL_COMPLETE" in result.stdout


def test_completion_completes(process) -> None:
    done = process(env={"_PAGERCTL_COMPLETE": "bash_complete", "COMP_WORDS": "pagerctl se", "COMP_CWORD": "1"})
    assert done.stdout.split() == ["plain,send", "plain,sessions"]


def test_the_version_is_printed(run) -> None:
    from pagerd import __version__

    assert run("version").stdout == f"pagerctl {__version__}\n"
    assert json.loads(run("version", "--json").stdout) == {"version": __version__}


@pytest.mark.parametrize(
    "args",
    [["--help"], ["send", "-h"], ["sessions", "--help"], ["templates", "push", "-h"], ["providers", "set", "--help"]],
)
def test_help_teaches_with_examples(run, args: list[str]) -> None:
    result = run(*args)
    assert result.exit_code == 0
    assert "pagerctl " in result.stdout.split("Options")[0].partition("[OPTIONS]")[2] or args[0] == "providers"


def test_help_loads_neither_client_nor_http_library(environ) -> None:
    code = (
        "import sys; from pagerd.cli.pagerctl import pagerctl\n"
        "try: pagerctl(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'httpx2', 'asyncio', 'msgspec', 'litestar', 'sqlalchemy', 'pagerd.client'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_pagerctl_can_be_mounted_in_another_command(environ, session: str) -> None:
    import rich_click as click
    from click.testing import CliRunner

    from pagerd.cli.pagerctl import pagerctl

    outer = click.Group("pagerd")
    outer.add_command(pagerctl, "ctl")
    shown = CliRunner().invoke(outer, ["ctl", "sessions", "show", session])
    assert (shown.exit_code, "told 3 of 7" in shown.stdout) == (0, True)
    wrong = CliRunner().invoke(outer, ["ctl", "sessions", "show", "ses_none"])
    assert (wrong.exit_code, wrong.stderr) == (1, "error: There is no session ses_none.\n")
