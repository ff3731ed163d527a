"""A mail server that hangs up after the dot, refuses, or is gone for a while; and what its mails hold."""

from __future__ import annotations

import email
import email.policy
from pathlib import Path

import pytest

from .joining import join
from .processes import until
from .river import Installation, River, person

CONNECTIONS = 20
"""Of an SMTP provider, where its settings say nothing."""


@pytest.mark.parametrize("taken", [True, False], ids=["taken", "not-taken"])
@pytest.mark.parametrize("policy", ["resend", "hold"])
def test_a_connection_that_breaks_after_the_dot_is_one_doubt(
    tmp_path: Path, installation: Installation, policy: str, taken: bool
) -> None:
    with River(tmp_path, installation.copy(tmp_path / "data")) as river:
        river.server.start()
        for at in (3, 17, 40):
            river.sink.order("drop", at=at, accept=taken)
        session = river.admit([person(n) for n in range(60)], on_doubt=policy).body["id"]
        river.finished(session)
        result = join(river, window=1, deaths=3)
        assert result.wrong == []
        if policy == "hold":
            assert (result.told, result.unknown, result.flagged, result.duplicates) == (57, 3, 0, 0)
        else:
            assert (result.told, result.unknown, result.flagged) == (60, 0, 3)
            assert result.duplicates == (3 if taken else 0)


def test_refused_people_are_not_told_and_their_neighbours_are(tmp_path: Path, installation: Installation) -> None:
    refuse = {"gone": "550 5.1.1 no such user"}
    people = [person(n) for n in range(38)] + [person(n, "gone") for n in range(2)]
    with River(tmp_path, installation.copy(tmp_path / "data"), refuse=refuse) as river:
        river.server.start()
        session = river.admit(people).body["id"]
        view = river.finished(session)
        assert (view["state"], view["told"], view["not_told"]) == ("completed_with_failures", 38, 2)
        assert [(r["class"], r["code"], r["count"]) for r in view["reasons"]] == [("permanent_address", "550 5.1.1", 2)]
        result = join(river, window=0, deaths=0)
        assert result.wrong == []
        assert (result.duplicates, result.flagged) == (0, 0)


def test_a_peer_that_is_gone_for_a_while_costs_nobody(tmp_path: Path, installation: Installation) -> None:
    """Waits are minutes, so the session is closed and driven again instead of waited for: people can do that, too."""
    with River(tmp_path, installation.copy(tmp_path / "data")) as river:
        river.server.start()
        river.sink.order("tell", at=100)
        session = river.admit([person(n) for n in range(1000)]).body["id"]
        river.sink.reached()
        river.sink.stop()
        until(lambda: _breaker(river) == "open" or None, "the breaker to open")
        assert river.server.stop() == 0
        river.sink.start()
        river.server.start()  # a new process begins with a closed breaker
        assert river.ask("POST", f"/v1/sessions/{session}/cancel").status == 200
        river.finished(session)
        until(lambda: river.ask("POST", f"/v1/sessions/{session}/redrive").status == 200 or None, "the redrive")
        if river.finished(session)["outcomes"]["unknown"]:  # in doubt when it was cancelled: only a person decides
            wish = {"where": {"state": "unknown"}}
            assert river.ask("POST", f"/v1/sessions/{session}/redrive", wish).status == 200
        result = join(river, window=1, deaths=CONNECTIONS)
        assert result.wrong == []
        assert result.told == 1000


def test_a_peer_that_was_never_there_leaves_no_doubt(tmp_path: Path, installation: Installation) -> None:
    with River(tmp_path, installation.copy(tmp_path / "data")) as river:
        river.server.start()
        river.sink.stop()
        session = river.admit([person(n) for n in range(100)]).body["id"]
        until(lambda: _breaker(river) == "open" or None, "the breaker to open")
        view = river.look(session)
        assert (view["told"], view["to_go"], view["in_doubt"], view["possible_duplicates"]) == (0, 100, 0, 0)
        river.sink.start()
        assert river.ask("POST", f"/v1/sessions/{session}/cancel").status == 200
        result = join(river, window=0, deaths=0)
        assert result.wrong == []
        assert (result.told, result.other) == (0, 100)


def test_a_person_refused_for_now_waits_alone(tmp_path: Path, installation: Installation) -> None:
    people = [person(n) for n in range(39)] + [person(1, "later")]
    refuse = {"later": "451 4.3.0 not now"}
    with River(tmp_path, installation.copy(tmp_path / "data"), refuse=refuse) as river:
        river.server.start()
        session = river.admit(people).body["id"]
        until(lambda: river.look(session)["told"] == 39 or None, "the others")
        assert river.look(session)["outcomes"]["accepted"] == 39
        assert river.ask("POST", f"/v1/sessions/{session}/cancel").status == 200
        view = river.finished(session)
        result = join(river, window=0, deaths=0)
        assert result.wrong == []
        assert (view["state"], result.told, result.other, result.flagged) == ("cancelled", 39, 1, 0)


def test_every_mail_is_what_its_person_should_have_got(tmp_path: Path, installation: Installation) -> None:
    people = [person(n) for n in range(30)]
    with River(tmp_path, installation.copy(tmp_path / "data")) as river:
        river.server.start()
        river.sink.order("kill", pid=river.server.pid, at=11, when="before")
        river.finished(river.admit(people).body["id"])
        result = join(river, window=200, deaths=1)
        assert result.wrong == []
        wanted = {each["to"]: each["data"] for each in people}
        for raw in river.sink.mails():
            mail = email.message_from_bytes(raw, policy=email.policy.default)
            data = wanted[mail["To"]]
            assert mail["Subject"] == f"{data['name']}, your order {data['order']}"
            assert mail["From"] == "Shop <shop@shop.example>"
            text = mail.get_body(("plain",))
            html = mail.get_body(("html",))
            assert text is not None
            assert html is not None
            lines = [
                f"Dear {data['name']},",
                "",
                ".a line that begins with a dot",
                f"Your order {data['order']} has left.",
            ]
            assert text.get_content().splitlines() == lines
            assert f"<b>{data['order']}</b>" in html.get_content()
            assert not mail.defects


def _breaker(river: River) -> str:
    shown = river.ask("GET", "/v1/providers/mail")
    assert shown.status == 200, shown
    return str(shown.body["health"]["breaker"])
