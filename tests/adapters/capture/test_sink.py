"""The sink as a process: what it logs, and when."""

import asyncio
import signal
import stat
import sys
from pathlib import Path

import aiosmtplib
import pytest


@pytest.fixture
async def sink(tmp_path: Path):
    journal = tmp_path / "sink.log"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pagerd.adapters.capture.sink",
        "--port", "0", "--journal", str(journal), "--refuse-domain", "refused.example.com",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    first = (await process.stdout.readline()).decode()
    assert first.startswith("listening on 127.0.0.1:")
    yield process, int(first.rpartition(":")[2]), journal
    if process.returncode is None:
        process.kill()
    await process.wait()


async def test_a_line_a_recipient_before_the_answer(sink):
    _, port, journal = sink
    mail = b"Subject: x\r\nmessage-id:\r\n <42@shop.example>\r\n\r\nMessage-ID: <not this>\r\n"
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port) as client:
        refused, _ = await client.sendmail(
            "a@b.example", ["x@example.com", "n@refused.example.com", "y@example.com"], mail
        )
        assert list(refused) == ["n@refused.example.com"]
        lines = [line.split("\t") for line in journal.read_text().splitlines()]
        await client.sendmail(
            "a@b.example", ["z@deferred.example.com"], b"Subject: none\r\n\r\nMessage-ID: <not this>\r\n"
        )
    assert [line[1:] for line in lines] == [
        ["<42@shop.example>", "x@example.com", str(len(mail))],
        ["<42@shop.example>", "y@example.com", str(len(mail))],
    ]
    assert all(float(line[0]) > 1_700_000_000 for line in lines)
    assert journal.read_text().splitlines()[-1].split("\t")[1:3] == ["-", "z@deferred.example.com"]
    assert stat.S_IMODE(journal.stat().st_mode) == 0o600


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it(sink, number: signal.Signals):
    process, port, journal = sink
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await reader.readline()
    process.send_signal(number)
    assert await process.wait() == 0
    assert (await reader.read()).startswith(b"421")
    assert journal.read_text() == ""
    writer.close()
    await writer.wait_closed()
