"""The server over real sockets, with clients that are not ours."""

import asyncio
import smtplib
from email.message import EmailMessage

import aiosmtplib
import pytest
import uvloop

from pagerd.adapters.capture.mailbox import Mailbox
from pagerd.adapters.capture.server import CaptureServer


def letter(subject: str = "Grüße", to: str = "ada@example.com") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Shop <hi@shop.example>"
    message["To"] = to
    message["Subject"] = subject
    message["Message-ID"] = "<1@shop.example>"
    message.set_content("Hello\n.\n..dots\nbye")
    return message


async def test_smtplib(open_server, mailbox: Mailbox):
    server = await open_server()

    def send() -> dict[str, tuple[int, bytes]]:
        with smtplib.SMTP(server.host, server.port, timeout=10) as client:
            return client.send_message(letter(to="ada@example.com, bob@example.com, x@refused.example.com"))

    assert await asyncio.to_thread(send) == {"x@refused.example.com": (550, b"5.1.1 No such user here")}
    [summary] = await mailbox.page(10)
    assert summary.recipients == ("ada@example.com", "bob@example.com")
    assert (summary.subject, summary.author) == ("Grüße", "Shop <hi@shop.example>")
    captured = await mailbox.get(summary.id)
    assert captured is not None
    assert captured.text == "Hello\n.\n..dots\nbye\n"


async def test_aiosmtplib_with_an_international_address(open_server, mailbox: Mailbox):
    server = await open_server()
    async with aiosmtplib.SMTP(hostname=server.host, port=server.port) as client:
        _, said = await client.send_message(letter(to="jörg@exämple.com"), recipients=["jörg@example.com"])
        assert client.supports_extension("chunking")
        assert "SMTPUTF8" in str(client.last_ehlo_response)
    [summary] = await mailbox.page(10)
    assert summary.recipients == ("jörg@example.com",)
    assert summary.id in said


async def test_a_mail_of_a_megabyte_arrives_unchanged(open_server, mailbox: Mailbox):
    server = await open_server()
    source = b"Subject: big\r\n\r\n" + b"".join(b".%d %s\r\n" % (n, b"x" * 90) for n in range(12_000))
    async with aiosmtplib.SMTP(hostname=server.host, port=server.port) as client:
        await client.sendmail("a@b.example", ["c@d.example"], source)
    captured = await mailbox.get((await mailbox.page(1))[0].id)
    assert captured is not None
    assert captured.source == source


async def test_many_clients_at_once(open_server, mailbox: Mailbox):
    server = await open_server()

    async def send(n: int) -> None:
        async with aiosmtplib.SMTP(hostname=server.host, port=server.port) as client:
            await client.sendmail("a@b.example", [f"{n}@example.com"], b"Subject: x\r\n\r\n" + b"%d\r\n" % n * 2000)

    await asyncio.gather(*(send(n) for n in range(50)))
    summaries = await mailbox.page(100)
    assert {s.recipients[0] for s in summaries} == {f"{n}@example.com" for n in range(50)}
    for summary in summaries:
        captured = await mailbox.get(summary.id)
        assert captured is not None
        assert captured.text == "{}\n".format(summary.recipients[0].partition("@")[0]) * 2000


async def test_too_many_connections(open_server):
    server = await open_server(connections=1)
    reader, writer = await asyncio.open_connection(server.host, server.port)
    assert (await reader.readline()).startswith(b"220")
    late, late_writer = await asyncio.open_connection(server.host, server.port)
    assert (await late.read()).startswith(b"421 4.3.2")
    for each in (writer, late_writer):
        each.close()
        await each.wait_closed()


async def test_the_silent_are_sent_away(open_server):
    server = await open_server(idle=0.05)
    reader, writer = await asyncio.open_connection(server.host, server.port)
    assert (await reader.read()).splitlines()[-1].startswith(b"421 4.4.2")
    writer.close()
    await writer.wait_closed()
    assert not server.open


async def test_closing_says_so_and_drops_what_is_not_whole(open_server, mailbox: Mailbox):
    server = await open_server()
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nSubject: half")
    await reader.readuntil(b"354 ")
    await server.aclose()
    await server.aclose()
    assert (await reader.read()).splitlines()[-1].startswith(b"421 4.3.2")
    assert mailbox.count == 0
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(server.host, server.port)
    writer.close()
    await writer.wait_closed()


async def test_who_never_reads_is_not_read_for_ever(open_server):
    server = await open_server()
    reader, writer = await asyncio.open_connection(server.host, server.port, limit=1024)
    await reader.readline()
    [connection] = server.open
    while connection._transport.is_reading():
        writer.write(b"EHLO x\r\n" * 1000)
        await asyncio.sleep(0)
    await server.aclose()
    assert not server.open
    writer.transport.abort()


async def test_who_reads_late_is_answered_in_full(open_server):
    server = await open_server()
    reader, writer = await asyncio.open_connection(server.host, server.port, limit=1024)
    await reader.readline()
    [connection] = server.open
    asked = 0
    while connection._transport.is_reading():
        writer.write(b"VRFY x\r\n" * 1000)
        asked += 1000
        await asyncio.sleep(0)
    writer.write(b"QUIT\r\n")
    answers = (await reader.read()).splitlines()
    assert [line[:3] for line in answers] == [b"252"] * asked + [b"221"]
    writer.close()
    await writer.wait_closed()


async def test_a_port_in_use_is_an_error(open_server, mailbox: Mailbox):
    server = await open_server()
    second = CaptureServer(mailbox, port=server.port)
    with pytest.raises(OSError, match=str(server.port)):
        await second.start()
    await second.aclose()


def test_under_uvloop():
    async def run() -> list[str]:
        box = Mailbox()
        server = CaptureServer(box, port=0)
        await server.start()
        async with aiosmtplib.SMTP(hostname=server.host, port=server.port) as client:
            for n in range(20):
                await client.sendmail(
                    "a@b.example", ["c@d.example"], f"Subject: {n}\r\n\r\n".encode() + b"x\r\n" * n * n * 500
                )
        await server.aclose()
        await box.aclose()
        return [summary.subject for summary in await box.page(100)]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(run()) == [str(n) for n in reversed(range(20))]
