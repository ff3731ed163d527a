"""The dialogue without a socket: what goes in, what comes out, and when a mail is taken."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagerd.adapters.capture.dialogue import COMMAND_LIMIT, RECIPIENT_LIMIT, Dialogue, Domain
from pagerd.adapters.capture.rules import Rule, Rules

GROUP = b"MAIL FROM:<shop@example.org> SIZE=100 BODY=8BITMIME\r\nRCPT TO:<ada@example.com>\r\nDATA\r\n"
MAIL = b"Subject: hi\r\n\r\nYour code is 123456.\r\n"


class Desk:
    """A dialogue, and the mails that it handed over."""

    def __init__(self, *, greeted: bool = True, size_limit: int = 10_000, rules: Rules | None = None) -> None:
        self.mails: list[tuple[bytes, list[bytes], bytes]] = []
        self.full = False
        self.dialogue = Dialogue(Domain(self.receive, rules or Rules(), size_limit))
        if greeted:
            self.say(b"EHLO test\r\n")

    def receive(self, sender: bytes, recipients: list[bytes], mail: bytes) -> bytes:
        if self.full:
            raise OSError(28, "No space left on device")
        self.mails.append((sender, recipients, mail))
        return b"cap_%d" % len(self.mails)

    def say(self, data: bytes) -> list[bytes]:
        return self.dialogue.feed(data).splitlines()

    def codes(self, data: bytes) -> list[bytes]:
        return [line[:3] for line in self.say(data)]


def in_pieces(desk: Desk, data: bytes, size: int = 1) -> list[bytes]:
    return [line for at in range(0, len(data), size) for line in desk.say(data[at : at + size])]


def test_a_whole_dialogue():
    desk = Desk(greeted=False)
    assert desk.dialogue.greeting.startswith(b"220 localhost ESMTP")
    answer = desk.say(b"EHLO client.example\r\n")
    assert {line[4:] for line in answer[1:]} == {
        b"SIZE 10000", b"PIPELINING", b"8BITMIME", b"SMTPUTF8", b"ENHANCEDSTATUSCODES", b"CHUNKING",
    }  # fmt: skip
    assert [line[3:4] for line in answer] == [b"-"] * 6 + [b" "]
    assert desk.codes(GROUP) == [b"250", b"250", b"354"]
    assert desk.say(MAIL + b".\r\n") == [b"250 2.0.0 Ok: cap_1"]
    assert desk.mails == [(b"shop@example.org", [b"ada@example.com"], MAIL)]
    assert desk.codes(b"QUIT\r\n") == [b"221"]
    assert desk.dialogue.closed


def test_body_dot_and_the_next_group_in_one_write():
    desk = Desk()
    desk.say(GROUP)
    for _ in range(3):
        assert desk.codes(MAIL + b".\r\n" + GROUP) == [b"250", b"250", b"250", b"354"]
    assert [mail for _, _, mail in desk.mails] == [MAIL] * 3


DIALOGUE = (
    GROUP
    + b"..a line with a dot\r\n...\r\nend\r\n.\r\n"
    + b"MAIL FROM:<> SMTPUTF8\r\nRCPT TO:<j\xc3\xb6rg@example.com>\r\nRCPT TO:<b@refused.example.com>\r\n"
    + b"BDAT 8\r\none\r\n.\r\nBDAT 4 LAST\r\n\r\nxxRSET\r\n"
    + GROUP
    + b".\r\nNOOP\r\n"
)


def whole() -> tuple[list[bytes], list[tuple[bytes, list[bytes], bytes]]]:
    desk = Desk()
    return desk.say(DIALOGUE), desk.mails


def test_a_dialogue_of_every_kind():
    replies, mails = whole()
    assert b" ".join(line[:3] for line in replies) == b"250 250 354 250 250 250 550 250 250 250 250 250 354 250 250"
    assert mails == [
        (b"shop@example.org", [b"ada@example.com"], b".a line with a dot\r\n..\r\nend\r\n"),
        (b"", ["jörg@example.com".encode()], b"one\r\n.\r\n\r\nxx"),
        (b"shop@example.org", [b"ada@example.com"], b""),
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_pieces_of_any_size_give_the_same(size: int):
    desk = Desk()
    assert (in_pieces(desk, DIALOGUE, size), desk.mails) == whole()


@given(st.lists(st.integers(0, len(DIALOGUE))))
def test_pieces_cut_anywhere_give_the_same(cuts: list[int]):
    desk = Desk()
    places = [0, *sorted(cuts), len(DIALOGUE)]
    replies = [line for a, b in itertools.pairwise(places) for line in desk.say(DIALOGUE[a:b])]
    assert (replies, desk.mails) == whole()


BODY = st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b".", b"..", b"a", b"\r\n.", b"\n.\n", b"\r\n\r\n"])).map(
    b"".join
)


@given(BODY, st.integers(1, 9))
def test_what_a_right_client_stuffs_comes_out_as_it_was(body: bytes, size: int):
    content = body + b"\r\n"
    wire = (b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"
    desk = Desk()
    desk.say(GROUP)
    assert [line[:3] for line in in_pieces(desk, wire, size)] == [b"250"]
    assert [mail for _, _, mail in desk.mails] == [content]


@pytest.mark.parametrize("end", [b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\r", b"\r\n\0.\r\n", b"\r\n. \r\n"])
@pytest.mark.parametrize("size", [1, 4096])
def test_a_false_end_smuggles_nothing(end: bytes, size: int):
    inner = b"MAIL FROM:<boss@example.org>\r\nRCPT TO:<victim@example.com>\r\nDATA\r\nSubject: evil\r\n\r\nx"
    desk = Desk()
    desk.say(GROUP)
    replies = in_pieces(desk, b"Subject: a\r\n\r\nhello" + end + inner + b"\r\n.\r\n", size)
    assert [line[:3] for line in replies] == [b"250"]
    assert len(desk.mails) == 1
    assert desk.mails[0][1] == [b"ada@example.com"]
    assert inner in desk.mails[0][2]


@pytest.mark.parametrize(
    "line", [b"NOOP\nMAIL FROM:<a@b.c>\r\n", b"NOOP\rx\r\n", b"NOOP\0\r\n", b"BDAT 3\nx\r\n", b"EHLO x\n"]
)
def test_a_bare_line_end_in_a_command_closes(line: bytes):
    desk = Desk()
    assert desk.codes(line + b"QUIT\r\n") == [b"500"]
    assert desk.dialogue.closed


def test_several_recipients_and_some_refused():
    desk = Desk()
    assert desk.codes(
        b"MAIL FROM:<a@b.example>\r\nRCPT TO:<x@example.com>\r\nRCPT TO:<nobody@REFUSED.example.com>\r\n"
        b"RCPT TO:<y@example.com>\r\nDATA\r\n"
    ) == [b"250", b"250", b"550", b"250", b"354"]
    desk.say(b"\r\n.\r\n")
    assert desk.mails == [(b"a@b.example", [b"x@example.com", b"y@example.com"], b"\r\n")]


def test_nobody_left_answers_data_with_554_and_stays_in_step():
    desk = Desk()
    refused = b"MAIL FROM:<a@b.example>\r\nRCPT TO:<x@refused.example.com>\r\nDATA\r\n"
    assert desk.say(refused)[1:] == [b"550 5.1.1 No such user here", b"554 5.5.1 No valid recipients"]
    assert desk.codes(b"RSET\r\n" + GROUP) == [b"250", b"250", b"250", b"354"]


def test_deferred_and_throttled_once_per_address():
    desk = Desk()
    mail = b"RSET\r\nMAIL FROM:<a@b.example>\r\n"
    for domain, reply in ((b"deferred", b"451 4.3.0"), (b"throttled", b"451 4.7.1")):
        rcpt = b"RCPT TO:<%s@" + domain + b".example.com>\r\n"
        assert desk.say(mail + rcpt % b"a")[-1].startswith(reply)
        assert desk.say(mail + rcpt % b"b")[-1].startswith(reply)
        assert desk.say(mail + rcpt % b"a")[-1].startswith(b"250")
        assert desk.say(mail + rcpt % b"a")[-1].startswith(b"250")


def test_full_always_and_other_rules():
    desk = Desk(rules=Rules({"Bad.Example": Rule("554 5.7.1 Go away")}))
    assert desk.codes(b"MAIL FROM:<a@b.example>\r\n" + b"RCPT TO:<a@bad.example>\r\n" * 2) == [b"250", b"554", b"554"]
    assert desk.codes(b"RCPT TO:<a@refused.example.com>\r\n") == [b"250"]
    desk = Desk()
    assert desk.codes(b"MAIL FROM:<a@b.example>\r\n" + b"RCPT TO:<a@full.example.com>\r\n" * 2)[1:] == [b"452"] * 2


def test_bdat_whole_in_one_write():
    desk = Desk()
    chunk = b"\r\n.\r\nnot an end\r\n..\r\n"
    group = b"MAIL FROM:<a@b.example>\r\nRCPT TO:<x@example.com>\r\nBDAT %d LAST\r\n" % len(chunk) + chunk
    assert desk.codes(group * 20) == [b"250"] * 60
    assert [mail for _, _, mail in desk.mails] == [chunk] * 20


def test_bdat_in_chunks_and_an_empty_last_one():
    desk = Desk()
    desk.say(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<x@example.com>\r\n")
    assert desk.codes(b"BDAT 3\r\nabcBDAT 2\r\nd\nBDAT 0 LAST\r\n") == [b"250"] * 3
    assert desk.mails == [(b"a@b.example", [b"x@example.com"], b"abcd\n")]


@pytest.mark.parametrize("before", [b"", b"MAIL FROM:<a@b.example>\r\n"])
def test_refused_bdat_swallows_its_octets(before: bytes):
    desk = Desk()
    desk.say(before)
    codes = desk.codes(b"BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n")
    assert codes == [b"554" if before else b"503", b"250"]
    assert not desk.dialogue.closed
    assert desk.mails == []


def test_data_or_rcpt_amid_chunks_is_out_of_order():
    desk = Desk()
    desk.say(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<x@example.com>\r\n")
    assert desk.codes(b"BDAT 1\r\naDATA\r\nRCPT TO:<y@example.com>\r\nRSET\r\n") == [b"250", b"503", b"503", b"250"]


@pytest.mark.parametrize("line", [b"BDAT", b"BDAT x", b"BDAT -1", b"BDAT 5 LAST x", b"BDAT 1" + b"0" * 30])
def test_a_bdat_that_cannot_be_counted_closes(line: bytes):
    desk = Desk()
    assert desk.codes(line + b"\r\nMAIL FROM:<a@b.example>\r\n") == [b"501"]
    assert desk.dialogue.closed


def test_too_big_is_552_and_the_next_mail_is_taken():
    desk = Desk(size_limit=100)
    assert desk.say(b"MAIL FROM:<a@b.example> SIZE=101\r\n")[0].startswith(b"552 5.3.4")
    small = GROUP.replace(b"SIZE=100 ", b"")
    for pieces in (10_000, 7):
        desk.say(small)
        replies = in_pieces(desk, b"x" * 50 + b"\r\n" + b"y" * 60 + b"\r\n.\r\n", pieces)
        assert [line[:9] for line in replies] == [b"552 5.3.4"]
    desk.say(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<x@example.com>\r\n")
    assert desk.codes(b"BDAT 60\r\n" + b"z" * 60 + b"BDAT 60 LAST\r\n" + b"z" * 60) == [b"250", b"552"]
    assert desk.mails == []
    desk.say(small)
    assert desk.codes(b"x" * 98 + b"\r\n.\r\n") == [b"250"]


def test_an_endless_mail_costs_no_memory():
    desk = Desk(size_limit=1000)
    desk.say(GROUP)
    for _ in range(100):
        assert desk.say(b"x" * 998 + b"\r\n") == []
        assert len(desk.dialogue._body) < 3000
    assert desk.codes(b".\r\n") == [b"552"]


@pytest.mark.parametrize("size", [1, 1000, 100_000])
def test_a_line_too_long_is_skipped(size: int):
    desk = Desk()
    replies = in_pieces(desk, b"NOOP " + b"x" * (COMMAND_LIMIT * 2) + b"\r\nNOOP\r\n", size)
    assert [line[:3] for line in replies] == [b"500", b"250"]
    assert len(desk.dialogue._rest) < 10


def test_too_many_recipients():
    desk = Desk()
    desk.say(b"MAIL FROM:<a@b.example>\r\n")
    codes = desk.codes(b"RCPT TO:<a@example.com>\r\n" * (RECIPIENT_LIMIT + 1))
    assert codes == [b"250"] * RECIPIENT_LIMIT + [b"452"]


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        (b"EHLO", b"501 5.5.4"),
        (b"HELO ", b"501 5.5.4"),
        (b"MAIL FROM:a@b.example", b"501 5.1.7"),
        (b"MAIL FROM:<a>", b"501 5.1.7"),
        (b"MAIL FROM:<a@>", b"501 5.1.7"),
        (b"MAIL FROM:<a b@c.example>", b"501 5.1.7"),
        (b"MAIL FROM:<\xff@c.example> SMTPUTF8", b"501 5.1.7"),
        (b"MAIL FROM:<\xc3\xb6@c.example>", b"553 5.6.7"),
        (b"MAIL FROM:<a@b.example> BODY=BINARYMIME", b"501 5.5.4"),
        (b"MAIL FROM:<a@b.example> SIZE=many", b"501 5.5.4"),
        (b"MAIL FROM:<a@b.example> RET=FULL", b"555 5.5.4"),
        (b"MAIL FROM: <a@b.example>", b"250 2.1.0"),
        (b'mail from:<"a >b"@c.example> body=8bitmime', b"250 2.1.0"),
        (b"RCPT TO:<a@b.example>", b"503 5.5.1"),
        (b"DATA", b"503 5.5.1"),
        (b"VRFY ada", b"252 2.1.5"),
        (b"EXPN staff", b"502 5.5.1"),
        (b"STARTTLS", b"502 5.5.1"),
        (b"AUTH PLAIN AGEAYg==", b"502 5.5.1"),
        (b"HELP", b"214 2.0.0"),
        (b"rset", b"250 2.0.0"),
        (b"WHAT", b"500 5.5.1"),
        (b"", b"500 5.5.1"),
    ],
)
def test_replies(line: bytes, reply: bytes):
    desk = Desk()
    assert desk.say(line + b"\r\n")[-1].startswith(reply)
    assert not desk.dialogue.closed


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        (b"RCPT TO:<>", b"501 5.1.3"),
        (b"RCPT TO:<nobody>", b"501 5.1.3"),
        (b"RCPT TO:<Postmaster>", b"250 2.1.5"),
        (b"RCPT TO:<@relay.example,@two.example:a@b.example>", b"250 2.1.5"),
        (b"RCPT TO:<j\xc3\xb6rg@example.com>", b"553 5.6.7"),
        (b"RCPT TO:<a@b.example> NOTIFY=NEVER", b"555 5.5.4"),
        (b"MAIL FROM:<c@d.example>", b"503 5.5.1"),
        (b"DATA now", b"501 5.5.4"),
    ],
)
def test_replies_within_a_mail(line: bytes, reply: bytes):
    desk = Desk()
    desk.say(b"MAIL FROM:<a@b.example>\r\n")
    assert desk.say(line + b"\r\n")[-1].startswith(reply)


def test_mail_wants_a_greeting_and_helo_is_one():
    desk = Desk(greeted=False)
    assert desk.codes(b"MAIL FROM:<a@b.example>\r\nHELO me\r\nMAIL FROM:<a@b.example>\r\n") == [b"503", b"250", b"250"]


def test_a_browser_is_sent_away():
    desk = Desk(greeted=False)
    assert desk.codes(b"POST / HTTP/1.1\r\nHost: x\r\n\r\nEHLO x\r\nMAIL FROM:<a@b.c>\r\n") == [b"421"]
    assert desk.dialogue.closed


def test_what_cannot_be_kept_is_not_promised():
    desk = Desk()
    desk.full = True
    desk.say(GROUP)
    assert desk.say(MAIL + b".\r\n")[0].startswith(b"452 4.3.1")
    desk.full = False
    desk.say(GROUP)
    assert desk.codes(MAIL + b".\r\n") == [b"250"]
