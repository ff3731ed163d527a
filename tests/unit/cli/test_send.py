"""`pagerctl send`: what it says, what it asks, what it sends, and how it ends."""

from __future__ import annotations

import json
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

PEOPLE = "to,name,total,shoe size\nada@example.com,Ada,12.5,38\nbo@example.com,Bo,3,44\n"


@pytest.fixture
def csv(tmp_path: Path, environ) -> Path:
    path = tmp_path / "people.csv"
    path.write_text(PEOPLE)
    return path


def accepted(desk):
    """Let everybody be told as soon as a session starts."""

    def settle(kept) -> None:
        for one in kept.people:
            one["state"] = "accepted"
        desk._fold(kept)

    desk.on_start = settle


def test_everybody_is_told(desk, run, csv: Path) -> None:
    accepted(desk)
    result = run("send", "news", "people.csv", "--yes")
    assert result.exit_code == 0, result.output
    assert result.stdout == (
        "ses_0001  completed  news@1 by email\ntold 2 + withheld 0 + not told 0 + in doubt 0 + to go 0 = 2\n"
    )
    assert "news@1 (live) by http://127.0.0.1" in result.stderr
    assert "2 people of people.csv (ada@example.com, bo@example.com)" in result.stderr
    assert "from  Shop <hi@shop.example>" in result.stderr
    assert "says  Dear Ada" in result.stderr
    assert "rows uploaded: 2 of 2" in result.stderr
    put = desk.last("PUT")
    assert put.body.decode() == PEOPLE
    assert (put.headers["content-type"], put.query) == ("text/csv", {"delimiter": ","})
    assert [one["to"] for one in desk.sessions["ses_0001"].people] == ["ada@example.com", "bo@example.com"]


def test_the_first_people_are_checked_with_the_types_of_their_variables(desk, run, csv: Path) -> None:
    accepted(desk)
    run("send", "news", "people.csv", "--yes")
    (first, _) = desk.last("POST /v1/sessions/check").json["audience"]["recipients"]
    assert first == {"to": "ada@example.com", "data": {"name": "Ada", "total": 12.5}}


@pytest.mark.parametrize(
    ("settle", "code"),
    [
        ([("accepted", None, {})], 0),
        ([("suppressed", 1, {"class": "suppressed", "code": "asked_for"}), ("accepted", None, {})], 0),
        ([("failed", 1, {"class": "permanent_address", "code": "550 5.1.1"}), ("accepted", None, {})], 3),
        ([("failed", None, {"class": "transient", "code": "451"})], 4),
    ],
)
def test_exit_codes(desk, run, csv: Path, settle, code: int) -> None:
    def settled(kept) -> None:
        for state, number, reason in settle:
            for one in [one for one in kept.people if one["state"] == "pending"][:number]:
                one.update(state=state, reason=reason or None)
        desk._fold(kept)

    desk.on_start = settled
    result = run("send", "news", "people.csv", "--yes")
    assert result.exit_code == code, result.output


def test_the_end_names_the_reasons_and_what_to_type_next(desk, run, csv: Path) -> None:
    def settled(kept) -> None:
        kept.people[0].update(state="failed", reason={"class": "transient", "code": "451 4.3.0"})
        kept.people[1].update(state="failed", reason={"class": "permanent_address", "code": "550 5.1.1"})
        desk._fold(kept)

    desk.on_start = settled
    out = run("send", "news", "people.csv", "--yes").stdout
    assert "1  failed  transient          451 4.3.0\n" in out
    assert "who they are:  pagerctl sessions recipients ses_0001 --not-told\n" in out
    assert "try them again:  pagerctl sessions redrive ses_0001\n" in out


def test_a_cancelled_session_ends_with_4(desk, run, csv: Path) -> None:
    desk.on_start = lambda kept: desk.control(None, kept.view["id"], "cancel")
    assert run("send", "news", "people.csv", "--yes").exit_code == 4


def test_waiting_only_so_long_ends_with_5(desk, run, csv: Path) -> None:
    result = run("send", "news", "people.csv", "--yes", "--wait", "0.3")
    assert result.exit_code == 5
    assert "it goes on; look again:  pagerctl sessions watch ses_0001" in result.stdout


def test_detached_it_returns_at_once(desk, run, csv: Path) -> None:
    result = run("send", "news", "people.csv", "--yes", "--detach")
    assert result.exit_code == 0
    assert result.stdout.startswith("ses_0001  running: told 0 of 2, to go 2\n")


def test_json_is_all_that_stands_on_standard_output(desk, run, csv: Path) -> None:
    accepted(desk)
    result = run("send", "news", "people.csv", "--yes", "--json")
    assert json.loads(result.stdout)["told"] == 2
    assert result.stdout.count("\n") == 1
    assert json.loads(run("send", "news", "people.csv", "--yes", "--json", "--detach").stdout)["id"] == "ses_0001"


def test_the_same_again_follows_the_session_that_exists(desk, run, csv: Path) -> None:
    accepted(desk)
    desk.on_start_view = None
    run("send", "news", "people.csv", "--yes")
    fresh(desk)
    again = run("send", "news", "people.csv", "--yes")
    assert len(desk.sessions) == 1
    assert "ses_0001: following it, nobody is told twice" in again.stderr
    assert again.stdout.startswith("ses_0001  completed")
    run("send", "news", "people.csv", "--yes", "--again")
    assert len(desk.sessions) == 2


def fresh(desk, age: timedelta = timedelta(minutes=3)) -> None:
    """Let every session be so old."""
    for kept in desk.sessions.values():
        kept.view["created_at"] = (datetime.now(UTC) - age).isoformat()


@pytest.mark.parametrize(
    "change",
    [["--hold"], ["--batch-size", "7"], ["--from", "a@b.eu"], ["--at", "2027-01-01 10:00"], ["--data", "name=X"]],
)
def test_other_options_are_another_session(desk, run, csv: Path, change: list[str]) -> None:
    run("send", "news", "people.csv", "--yes", "--detach")
    fresh(desk)
    run("send", "news", "people.csv", "--yes", "--detach", *change)
    assert len(desk.sessions) == 2


def test_another_file_or_version_is_another_session(desk, run, csv: Path) -> None:
    run("send", "news", "people.csv", "--yes", "--detach")
    fresh(desk)
    csv.write_text(PEOPLE + "cy@example.com,Cy,1,40\n")
    run("send", "news", "people.csv", "--yes", "--detach")
    desk.add_template("news", published=2)
    fresh(desk)
    run("send", "news", "people.csv", "--yes", "--detach")
    assert [kept.view["template"] for kept in desk.sessions.values()] == ["news@1", "news@1", "news@2"]


def test_after_a_day_the_same_is_sent_again_once(desk, run, csv: Path) -> None:
    run("send", "news", "people.csv", "--yes", "--detach")
    fresh(desk, timedelta(hours=25))
    run("send", "news", "people.csv", "--yes", "--detach")
    assert len(desk.sessions) == 2
    desk.sessions["ses_0002"].view["created_at"] = datetime.now(UTC).isoformat()
    run("send", "news", "people.csv", "--yes", "--detach")
    assert len(desk.sessions) == 2


def test_an_upload_that_was_interrupted_goes_on_where_it_stopped(desk, run, csv: Path) -> None:
    csv.write_text("to\n" + "".join(f"p{n}@example.com\n" for n in range(25_000)))
    gone = desk_problem(500)
    desk.mishap("PUT /v1/sessions/ses_0001/parts/3", gone)
    failed = run("send", "news", "people.csv", "--yes", "--detach")
    assert failed.exit_code == 1
    fresh(desk)
    again = run("send", "news", "people.csv", "--yes", "--detach")
    assert again.exit_code == 0, again.output
    assert desk.sessions["ses_0001"].view["total"] == 25_000
    assert desk.count("PUT /v1/sessions/ses_0001/parts/1") == 1
    assert desk.count("PUT /v1/sessions/ses_0001/parts/3") == 2


def test_broken_connections_lose_nobody_and_tell_nobody_twice(desk, process, csv: Path) -> None:
    accepted(desk)
    csv.write_text("to\n" + "".join(f"p{n}@example.com\n" for n in range(12_000)))
    for request in ("POST /v1/sessions", "PUT /v1/sessions/ses_0001/parts/1", "POST /v1/sessions/ses_0001/start"):
        desk.mishap(request, broken="before")
        desk.mishap(request, broken="after")
    desk.mishap("PUT /v1/sessions/ses_0001/parts/2", desk_problem(503, **{"retry-after": "0"}), times=2)
    desk.mishap("GET /v1/sessions/ses_0001/events", broken="before", times=2)
    done = process("send", "news", "people.csv", "--yes")
    assert done.returncode == 0, done.stderr
    assert "told 12,000 + withheld 0" in done.stdout
    assert len(desk.sessions) == 1
    assert [one["to"] for one in desk.sessions["ses_0001"].people] == [f"p{n}@example.com" for n in range(12_000)]


def desk_problem(status: int, **headers: str):
    import pager_desk

    return pager_desk.Problem(status, "internal", "Something in Pager is broken.", headers).answer


def test_a_bad_line_stops_everything_with_its_place_in_the_file(desk, run, csv: Path) -> None:
    rows = [f"p{n}@example.com" for n in range(12_000)]
    rows[11_000] = "nobody"
    csv.write_text("to\n" + "\n".join(rows) + "\n")
    result = run("send", "news", "people.csv", "--yes")
    assert result.exit_code == 1
    assert "error: people.csv:11002: 'nobody' is no address\n  nothing was sent\n" in result.stderr
    assert "--skip-invalid" in result.stderr
    assert desk.sessions["ses_0001"].view["state"] == "cancelled"
    csv.write_text("to\n" + "\n".join(rows[:10]) + "\n")
    assert run("send", "news", "people.csv", "--yes", "--detach").exit_code == 0


def test_a_bad_line_among_the_first_stops_it_before_anything_is_made(desk, run, csv: Path) -> None:
    csv.write_text('to,total\n"ada@\nexample.com",1\nbo@example.com,many\n')
    result = run("send", "news", "people.csv", "--yes")
    assert result.exit_code == 1
    assert "people.csv:4: the variable 'total' must be a number" in result.stderr
    assert not desk.sessions


def test_bad_lines_can_be_left_out(desk, run, csv: Path) -> None:
    csv.write_text("to\nada@example.com\nnobody\n")
    result = run("send", "news", "people.csv", "--yes", "--detach", "--skip-invalid")
    assert result.exit_code == 0
    assert "left out  people.csv:3: 'nobody' is no address" in result.stderr
    assert desk.sessions["ses_0001"].body["on_invalid"] == "skip"


def test_checking_sends_nothing(desk, run, csv: Path) -> None:
    good = run("send", "news", "people.csv", "--check")
    assert good.exit_code == 0
    assert good.stdout == "2 people: 2 could be told, 0 of them twice, 0 mistakes\nsays  Dear Ada\nnothing was sent\n"
    csv.write_text(PEOPLE + "nobody,Cy,many,\n")
    bad = run("send", "news", "people.csv", "--check")
    assert bad.exit_code == 1
    assert bad.stderr == "people.csv:4: is no address\npeople.csv:4: the variable 'total' must be a number\n"
    assert "3 people: 2 could be told" in bad.stdout
    shown = json.loads(run("send", "news", "people.csv", "--check", "--json").stdout)
    assert (shown["recipients"], shown["wrong"], shown["faults"][0]["line"]) == (3, 2, 4)
    assert not desk.sessions


def test_a_big_file_is_checked_in_pieces(desk, run, csv: Path) -> None:
    csv.write_text("to\n" + "".join(f"p{n}@example.com\n" for n in range(2_500)) + "nobody\n")
    result = run("send", "news", "people.csv", "--check")
    assert "2,501 people: 2,500 could be told" in result.stdout
    assert result.stderr == "people.csv:2502: is no address\n"
    assert desk.count("POST /v1/sessions/check") == 3


def test_options_reach_the_session(desk, run, csv: Path) -> None:
    result = run(
        *("send", "news@1", "people.csv", "--yes", "--detach", "--hold", "--batch-size", "50", "--channel", "email"),
        *("--locale", "de", "--at", "2027-01-01T10:00:00+01:00", "--data", "total=7", "--data", "name=Everybody"),
    )
    assert result.exit_code == 0, result.output
    body = desk.sessions["ses_0001"].body
    assert datetime.fromisoformat(body.pop("send_at")) == datetime(2027, 1, 1, 9, tzinfo=UTC)
    assert body == {
        "template": "news@1",
        "channel": "email",
        "locale": "de",
        "batch_size": 50,
        "data": {"total": 7, "name": "Everybody"},
        "on_doubt": "hold",
        "audience": {"upload": True},
    }


def test_columns_can_be_renamed(desk, run, csv: Path) -> None:
    csv.write_text('E-Mail;First name;x\r\nada@example.com;"A;da";1\r\n')
    result = run("send", "news", "people.csv", "--yes", "--detach", "--map", "to=e-mail", "--map", "name=First name")
    assert result.exit_code == 0, result.output
    assert desk.last("PUT").body == b'to;name;x\r\nada@example.com;"A;da";1\r\n'
    assert desk.last("PUT").query == {"delimiter": ";"}
    wrong = run("send", "news", "people.csv", "--yes", "--map", "to=Mail")
    assert wrong.exit_code == 2
    assert "people.csv has no column 'Mail'" in wrong.stderr
    assert "'E-Mail', 'First name'" in wrong.stderr


def test_ndjson_is_sent_as_it_stands(desk, run, csv: Path) -> None:
    text = '{"to":"ada@example.com","data":{"name":"Ada"}}\n\n{"to":"bo@example.com"}'
    Path("people.ndjson").write_text(text)
    assert run("send", "news", "people.ndjson", "--yes", "--detach").exit_code == 0
    assert desk.last("PUT").body.decode() == text
    assert desk.last("PUT").headers["content-type"] == "application/x-ndjson"


def test_fields_of_ndjson_can_be_renamed(desk, run, csv: Path) -> None:
    Path("people.jsonl").write_text('{"mail":"ada@example.com","first":"Ada","data":{"sum":3}}\n')
    maps = ("--map", "to=mail", "--map", "name=first", "--map", "total=sum")
    assert run("send", "news", "people.jsonl", "--yes", "--detach", *maps).exit_code == 0
    assert json.loads(desk.last("PUT").body) == {"to": "ada@example.com", "data": {"name": "Ada", "total": 3}}


def test_standard_input_is_read_and_told_apart(desk, process) -> None:
    done = process("send", "news", "-", "--yes", "--detach", input='{"to":"ada@example.com"}\n')
    assert done.returncode == 0, done.stderr
    assert "1 person of standard input (ada@example.com)" in done.stderr
    done = process("send", "news", "-", "--yes", "--detach", input="email\tname\nada@example.com\tAda\n")
    assert done.returncode == 0, done.stderr
    assert desk.last("PUT").query == {"delimiter": "tab"}
    assert "\x1b" not in done.stdout + done.stderr


def test_one_person_is_told_in_the_urgent_lane(desk, run) -> None:
    accepted(desk)
    result = run("send", "news", "--to", "ada@example.com", "--data", "name=Ada", "--data", "total=3", "--yes")
    assert result.exit_code == 0, result.output
    assert desk.sessions["ses_0001"].body == {
        "template": "news@1",
        "priority": "urgent",
        "data": {"name": "Ada", "total": 3},
        "audience": {"recipients": [{"to": "ada@example.com"}]},
    }
    run("send", "news", "--to", "ada@example.com", "--data", "name=Ada", "--data", "total=3", "--yes")
    assert len(desk.sessions) == 1


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["news"], "say whom to tell"),
        (["news", "people.csv", "--to", "a@b.eu"], "say whom to tell"),
        (["news", "people.csv", "--yes", "--data", "name"], "--data 'name' has no name and value"),
        (["news", "people.csv", "--yes", "--at", "soon"], "--at 'soon' is no moment"),
        (["news@7", "people.csv", "--yes"], "news has no version 7"),
        (["news", "people.csv"], "add --yes"),
        (["news", "people.csv", "--batch-size", "0"], "0 is not in the range"),
        (["news", "people.csv", "--nonsense"], "No such option"),
    ],
)
def test_wrong_use_is_2(desk, run, csv: Path, args: list[str], words: str) -> None:
    result = run("send", *args)
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stdout == ""
    assert not desk.sessions


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "people.csv is empty"),
        (b"to,name\n", "people.csv holds nobody"),
        (b'[{"to":"a@b.eu"}]', "one JSON array"),
        (b"\x1f\x8b\x08rest", "packed with gzip"),
        (b"PK\x03\x04rest", "spreadsheet"),
        ("to\nada@example.com\n".encode("utf-16"), "is UTF-16"),
        (b"to,name\na@b.eu,Ada\nb@b.eu,J\xfcrgen\n", "people.csv:3: is not UTF-8: byte 0xfc at offset 27"),
        (
            b'to,name\na@b.eu,Ada\nb@b.eu,"Bo\nc@b.eu,Cy\n',
            "people.csv:3: a quote that opens a cell here is never closed",
        ),
        (b"to\n" + b"x" * 1_100_000, "people.csv:2: the line is longer than 1 MiB"),
    ],
)
def test_files_that_nobody_can_read(desk, run, csv: Path, content: bytes, words: str) -> None:
    csv.write_bytes(content)
    result = run("send", "news", "people.csv", "--yes")
    assert result.exit_code in {1, 2}
    assert words in result.stderr
    assert not desk.sessions


def test_a_file_that_is_not_there(run) -> None:
    result = run("send", "news", "gone.csv", "--yes")
    assert (result.exit_code, result.stderr) == (1, "error: gone.csv: No such file or directory\n")


def test_an_unknown_template_is_named(run, csv: Path) -> None:
    result = run("send", "nws", "people.csv", "--yes")
    assert (result.exit_code, result.stderr) == (1, "error: there is no template 'nws'\n")


def test_a_template_without_a_version_says_how_to_publish(desk, run, csv: Path) -> None:
    desk.add_template("draft", published=0)
    result = run("send", "draft", "people.csv", "--yes")
    assert result.exit_code == 1
    assert "draft has no published version\ndo: pagerctl templates publish draft\n" in result.stderr


def test_what_strangers_wrote_steers_no_terminal(desk, run, csv: Path) -> None:
    csv.write_text('to,name\n"ada\x1b[31m@example.com","\u202eAda\x1b]0;gotcha\x07"\n', newline="")
    accepted(desk)
    result = run("send", "news", "people.csv", "--yes")
    assert "\x1b" not in result.output
    assert "\u202e" not in result.output
    assert "ada\\x1b[31m@example.com" in result.stderr
    assert "says  Dear \\u202eAda\\x1b]0;gotcha\\x07" in result.stderr


def test_a_test_key_needs_no_confirmation(desk, run, csv: Path, environ) -> None:
    Path(environ["PAGERCTL_KEY_FILE"]).write_text("pgr_test_abc_secret")
    result = run("send", "news", "people.csv", "--detach")
    assert result.exit_code == 0
    assert "news@1 (test)" in result.stderr


def test_on_a_terminal_the_count_is_typed(desk, terminal, csv: Path) -> None:
    accepted(desk)
    person = terminal("send", "news", "people.csv")
    person.wait_for("Type 2 to tell them: ")
    assert not desk.sessions
    person.type("3\n")
    person.wait_for("That is not 2")
    person.type("2\n")
    assert person.end() == 0
    assert "told 2 + withheld 0" in person.seen


def test_on_a_terminal_nothing_typed_is_no(desk, terminal, csv: Path) -> None:
    person = terminal("send", "news", "people.csv")
    person.wait_for("Type 2")
    person.type("\n")
    assert person.end() == 1
    assert "nobody was told" in person.seen
    assert not desk.sessions


def test_ctrl_c_leaves_it_running(desk, terminal, csv: Path) -> None:
    person = terminal("send", "news", "people.csv", "--yes")
    person.wait_for("told 0 of 2")
    os.killpg(person.process.pid, signal.SIGINT)
    assert person.end() == 130
    assert "ses_0001 goes on without you; look again:  pagerctl sessions watch ses_0001" in person.seen
    assert "Traceback" not in person.seen
    assert desk.sessions["ses_0001"].view["state"] == "running"


def test_ctrl_c_during_the_upload_says_that_nobody_was_told(desk, terminal, csv: Path) -> None:
    csv.write_text("to\n" + "".join(f"p{n}@example.com\n" for n in range(11_000)))
    stuck = desk.answer

    def slow(asked):
        if asked.path.endswith("/parts/2"):
            person_pressed.wait(30)
        return stuck(asked)

    import threading

    person_pressed = threading.Event()
    desk.answer = slow
    person = terminal("send", "news", "people.csv", "--yes")
    person.wait_for("rows uploaded")
    person.wait_for("91%")
    os.killpg(person.process.pid, signal.SIGINT)
    code = person.end()
    person_pressed.set()
    assert code == 130, person.seen
    assert "nobody was told: ses_0001 has not started" in person.seen
    assert "pagerctl sessions cancel ses_0001" in person.seen


def test_ctrl_c_at_the_question_sends_nothing(desk, terminal, csv: Path) -> None:
    person = terminal("send", "news", "people.csv")
    person.wait_for("Type 2")
    os.killpg(person.process.pid, signal.SIGINT)
    assert person.end() in {1, 130}
    assert not desk.sessions
