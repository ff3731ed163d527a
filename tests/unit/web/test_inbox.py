"""The inbox over a real mailbox: what a person sees, and what a hostile mail can't do."""

import asyncio
import re
from email.message import EmailMessage
from email.policy import SMTP
from html.parser import HTMLParser

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from pagerd.adapters.capture.mailbox import Mailbox
from pagerd.web import inbox

ORIGIN = "http://127.0.0.1:8400"
SEEN = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
EVIL = SEEN + " & \u202e"


def put(box: Mailbox, source: bytes, *to: str, sender: str = "shop@example.org") -> str:
    return box.deliver(sender.encode(), [address.encode() for address in to or ("ada@example.com",)], source).decode()


def letter(subject: str = "Hello", html: str = "<p>Hi</p>", text: str = "Hi") -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"] = "Shop <hi@shop.example>"
    message["Subject"] = subject
    message["Date"] = "Mon, 1 Jan 2024 00:00:00 +0000"
    message["Message-ID"] = "<1@shop.example>"
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    return message.as_bytes()


class Page(HTMLParser):
    """What a browser would make of a page: its elements, and the text in sight."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(source)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def assert_harmless(self) -> None:
        """Nothing but our own script, no style or handler in the page, no element that a mail brought along."""
        assert [(s["src"] or "").partition("?")[0] for s in self.all("script")] == ["/assets/inbox.js"]
        assert not [name for _, attributes in self.elements for name in attributes if name.startswith("on")]
        assert not [name for _, attributes in self.elements for name in attributes if name == "style"]
        assert {(i["src"] or "").partition("?")[0] for i in self.all("img")} == {"/assets/pager.svg"}


async def look(client: AsyncTestClient, path: str, status: int = 200) -> Page:
    answer = await client.get(path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = Page(answer.text)
    page.assert_harmless()
    return page


async def test_an_empty_inbox_teaches(client: AsyncTestClient):
    page = await look(client, "/inbox")
    assert "No mail yet" in page.text
    assert "pagerctl send login-code --to you@example.com --data code=123456" in page.text
    assert "127.0.0.1:1025" in page.text


async def test_the_list_is_newest_first_in_pages(client: AsyncTestClient, mailbox: Mailbox):
    for n in range(120):
        put(mailbox, letter(f"mail {n:03}"))
    page = await look(client, "/inbox")
    assert re.findall(r"mail (\d+)", page.text) == [f"{n:03}" for n in range(119, 69, -1)]
    assert "120 messages" in page.text
    older = [a["href"] for a in page.all("a") if "before=" in (a["href"] or "")]
    page = await look(client, older[0] or "")
    assert re.findall(r"mail (\d+)", page.text) == [f"{n:03}" for n in range(69, 19, -1)]
    assert not [s for s in page.all("section") if "data-live" in s]
    page = await look(client, next(a["href"] or "" for a in page.all("a") if "before=" in (a["href"] or "")))
    assert re.findall(r"mail (\d+)", page.text) == [f"{n:03}" for n in range(19, -1, -1)]
    assert not [a for a in page.all("a") if "before=" in (a["href"] or "")]


async def test_search(client: AsyncTestClient, mailbox: Mailbox):
    put(mailbox, letter("Grüße"), "jörg@example.com")
    put(mailbox, letter("Other"), "ada@example.com")
    page = await look(client, "/inbox?q=gr%C3%BC%C3%9Fe")
    assert "jörg@example.com" in page.text
    assert "ada@example.com" not in page.text
    assert page.all("input")[0]["value"] == "grüße"
    page = await look(client, "/inbox?q=%3Cscript%3Enothing")
    assert "Nothing found" in page.text


async def test_one_mail_in_its_views(client: AsyncTestClient, mailbox: Mailbox):
    source = letter(html='<p>Hi</p><a href="https://shop.example/?a=1&amp;b=2">x</a>', text="plain words")
    name = put(mailbox, source, "ada@example.com", "bob@example.com")
    page = await look(client, f"/inbox/{name}")
    assert {"Shop <hi@shop.example>", "ada@example.com", "bob@example.com"} <= set(
        re.findall(r"Shop <[^>]*>|[ab]\w+@example.com", page.text)
    )
    [frame] = page.all("iframe")
    assert (frame["sandbox"] or "", frame["src"]) == ("", f"/inbox/{name}/html")
    [link] = [a for a in page.all("a") if a.get("target") == "_blank"]
    assert (link["href"], link["rel"]) == ("https://shop.example/?a=1&b=2", "noreferrer noopener")
    assert "plain words" in (await look(client, f"/inbox/{name}?view=text")).text
    assert "<1@shop.example>" in (await look(client, f"/inbox/{name}?view=headers")).text
    assert "multipart/alternative" in (await look(client, f"/inbox/{name}?view=source")).text
    answer = await client.get(f"/inbox/{name}/source")
    assert answer.content == source
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}.eml"'


async def test_the_frame_can_do_nothing(client: AsyncTestClient, mailbox: Mailbox):
    name = put(mailbox, letter(html="<script>parent.x=1</script><p>grün</p>"))
    answer = await client.get(f"/inbox/{name}/html")
    policy = {part.split()[0]: part.split()[1:] for part in answer.headers["content-security-policy"].split("; ")}
    assert policy == {
        "default-src": ["'none'"],
        "style-src": ["'unsafe-inline'"],
        "img-src": ["data:"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
        "frame-ancestors": ["'self'"],
        "sandbox": [],
    }
    assert "grün" in answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("view", ["", "?view=html", "?view=text", "?view=headers", "?view=source"])
async def test_a_hostile_mail_is_only_words(client: AsyncTestClient, mailbox: Mailbox, view: str):
    headers = f"From: {EVIL}\r\nSubject: {EVIL}\r\nX-{'A' * 20}: {EVIL}\r\nContent-Type: text/plain; charset=utf-8\r\n"
    name = put(mailbox, f"{headers}\r\n{EVIL}\r\n".encode(), f'"{EVIL}"@example.com', sender=EVIL)
    page = await look(client, f"/inbox/{name}{view}")
    assert SEEN in page.text
    page = await look(client, "/inbox")
    assert SEEN in page.text


async def test_hostile_links_are_left_out(client: AsyncTestClient, mailbox: Mailbox):
    html = (
        """<a href="javascript:alert(1)">a</a><a href=' JAVASCRIPT:alert(2)'>b</a><a href="data:text/html,x">c</a>"""
        """<a class=x href="https://good.example/&quot;onclick=&quot;alert(1)">d</a><area href='mailto:a@b.example'>"""
    )
    name = put(mailbox, letter(html=html))
    page = await look(client, f"/inbox/{name}")
    assert [a["href"] for a in page.all("a") if a.get("target")] == [
        'https://good.example/"onclick="alert(1)',
        "mailto:a@b.example",
    ]


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"not a mail",
        b"Subject: x\r\nContent-Type: multipart/mixed\r\n\r\nx",
        b"Subject: " + b"x" * 400_000 + b"\r\n\r\nbody",
        b"".join(b"X-%d: %s\r\n" % (n, b"y" * 100) for n in range(2000)) + b"\r\nbody",
        b"Content-Type: text/html; charset=nonsense\r\n\r\n<p>\xff\xfe</p>",
        b"Subject: \xff\xfe\r\n\r\n\0\x01\x02",
    ],
)
async def test_broken_mails_still_show_their_source(client: AsyncTestClient, mailbox: Mailbox, source: bytes):
    name = put(mailbox, source)
    await look(client, "/inbox")
    for view in ("", "?view=html", "?view=text", "?view=headers", "?view=source"):
        await look(client, f"/inbox/{name}{view}")
    assert (await client.get(f"/inbox/{name}/source")).content == source


async def test_a_huge_source_is_cut_and_says_so(client: AsyncTestClient, mailbox: Mailbox):
    source = b"Subject: x\r\n\r\n" + b"words and words\r\n" * 100_000
    name = put(mailbox, source)
    answer = await client.get(f"/inbox/{name}?view=source")
    assert len(answer.content) < inbox.SHOWN * 1.1
    assert "only its beginning" in answer.text
    assert (await client.get(f"/inbox/{name}/source")).content == source


@pytest.mark.parametrize(
    "path", ["/inbox/cap_0000000z", "/inbox/nonsense", "/inbox/cap_0000000z/html", "/inbox/x/source", "/inbox?before=x"]
)
async def test_what_is_not_here(client: AsyncTestClient, path: str):
    assert "not here" in (await look(client, path, 404)).text


async def test_a_mail_without_html_has_no_frame(client: AsyncTestClient, mailbox: Mailbox):
    name = put(mailbox, b"Subject: x\r\n\r\nwords\r\n")
    page = await look(client, f"/inbox/{name}")
    assert not page.all("iframe")
    assert "words" in page.text
    await look(client, f"/inbox/{name}/html", 404)


async def test_headers_that_keep_pages_safe(client: AsyncTestClient, mailbox: Mailbox):
    name = put(mailbox, letter())
    for path in ("/inbox", f"/inbox/{name}", "/inbox/none"):
        headers = (await client.get(path)).headers
        assert headers["content-security-policy"].startswith("default-src 'self';")
        assert "unsafe" not in headers["content-security-policy"]
        assert "frame-ancestors 'self'" in headers["content-security-policy"]
    for path in ("/inbox", f"/inbox/{name}", f"/inbox/{name}/html", f"/inbox/{name}/source", "/assets/pager.css"):
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


async def test_assets_are_ours_and_all_that_pages_ask_for(client: AsyncTestClient):
    page = await look(client, "/inbox")
    wanted = [e.get("src") or e.get("href") or "" for tag in ("script", "link", "img") for e in page.all(tag)]
    assert len(wanted) == 4
    for path in wanted:
        answer = await client.get(path)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    for path in ("/assets/none.css", "/assets/..%2finbox.py", "/assets/%2e%2e"):
        assert (await client.get(path)).status_code == 404


SAME = {"origin": ORIGIN}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (SAME, 303),
        ({"sec-fetch-site": "same-origin"}, 303),
        ({"sec-fetch-site": "same-origin", "origin": "null"}, 303),
        ({}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": "http://127.0.0.1:8400.evil.example"}, 403),
        ({"sec-fetch-site": "cross-site", **SAME}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "none"}, 403),
    ],
)
async def test_only_the_page_itself_clears(
    client: AsyncTestClient, mailbox: Mailbox, headers: dict[str, str], status: int
):
    put(mailbox, letter())
    answer = await client.post("/inbox/clear", headers=headers, follow_redirects=False)
    assert answer.status_code == status
    assert mailbox.count == (0 if status == 303 else 1)


@pytest.mark.parametrize(
    "path", ["/inbox", "/inbox/events", "/inbox/cap_00000008", "/v1/captured", "/v1/captured/cap_00000008"]
)
async def test_a_name_made_to_resolve_here_reads_nothing(client: AsyncTestClient, mailbox: Mailbox, path: str):
    put(mailbox, letter("secret"))
    for host in ("evil.example", "evil.example:8400", "127.0.0.1.evil.example", "localhost.evil.example:8400"):
        answer = await client.get(path, headers={"host": host})
        assert answer.status_code == 403
        assert "secret" not in answer.text


@pytest.mark.parametrize("host", ["localhost", "localhost:8400", "LOCALHOST:1", "127.0.0.1", "[::1]", "[::1]:8400"])
async def test_names_of_this_machine(client: AsyncTestClient, host: str):
    assert (await client.get("/inbox", headers={"host": host})).status_code == 200


async def test_events_tell_of_every_change_and_end_with_the_mailbox(mailbox: Mailbox):
    events = inbox.events(mailbox, pause=0)
    first = await anext(events)
    assert first.event == "changed"
    assert first.data == b'{"count":0,"revision":0}'
    waiting = asyncio.ensure_future(anext(events))
    put(mailbox, letter())
    put(mailbox, letter())
    assert (await waiting).data == b'{"count":2,"revision":2}'
    waiting = asyncio.ensure_future(anext(events))
    await mailbox.clear()
    assert (await waiting).data == b'{"count":0,"revision":3}'
    last = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)
    await mailbox.aclose()
    with pytest.raises(StopAsyncIteration):
        await last


async def test_events_keep_their_distance_and_a_silent_stream_beats(mailbox: Mailbox):
    events = inbox.events(mailbox, pause=0.05, beat=0.01)
    loop = asyncio.get_running_loop()
    at = []
    for _ in range(3):
        put(mailbox, letter())
        while (await anext(events)).event != "changed":
            pass
        at.append(loop.time())
    assert at[1] - at[0] >= 0.05
    assert at[2] - at[1] >= 0.05
    beat = await anext(events)
    assert (beat.event, beat.data) == (None, None)
    assert beat.comment
    await events.aclose()


async def test_the_stream_over_http(client: AsyncTestClient, mailbox: Mailbox):
    await mailbox.aclose()
    answer = await client.get("/inbox/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert 'event: changed\r\ndata: {"count":0,"revision":0}' in answer.text


def test_every_route_declares_who_may(mailbox: Mailbox):
    for handler in inbox.routes(mailbox):
        tools = any(path.startswith("/v1/") for path in handler.paths)
        # A browser has no key; the pages are for this machine alone (the gate), and exist in development only.
        assert handler.opt == ({"permission": "dev.inbox"} if tools else {"public": True})


def test_two_apps_may_have_the_same_routes(mailbox: Mailbox):
    assert len(Litestar(inbox.routes(mailbox)).routes) == len(Litestar(inbox.routes(mailbox)).routes) > 5


async def test_an_sms_shows_number_text_and_cost_and_can_do_nothing(client: AsyncTestClient, mailbox: Mailbox):
    name = mailbox.deliver_text("Shop", "+12025550123", EVIL)
    listed = Page((await client.get("/inbox")).text)
    listed.assert_harmless()
    assert "SMS" in listed.text
    answer = await client.get(f"/inbox/{name}")
    page = Page(answer.text)
    page.assert_harmless()
    assert "+12025550123" in page.text
    assert "1 segment · UCS-2" in page.text
    assert SEEN in page.text
    assert (await client.get(f"/inbox/{name}/html")).status_code == 404
    source = await client.get(f"/inbox/{name}/source")
    assert source.headers["content-disposition"] == f'attachment; filename="{name}.txt"'
    assert source.content == EVIL.encode()
