"""The captured mails for tools."""

import pytest
from litestar.testing import AsyncTestClient

from pagerd.adapters.capture.mailbox import Mailbox


def put(box: Mailbox, n: int, to: str = "ada@example.com") -> str:
    mail = f"From: Shop <hi@shop.example>\r\nSubject: mail {n}\r\nMessage-ID: <{n}@shop.example>\r\n\r\ncode {n}\r\n"
    return box.deliver(b"bounce@shop.example", [to.encode()], mail.encode()).decode()


async def test_pages_to_the_end(client: AsyncTestClient, mailbox: Mailbox):
    names = [put(mailbox, n) for n in range(5)]
    seen, cursor = [], ""
    while True:
        answer = (await client.get(f"/v1/captured?limit=2{cursor}")).json()
        seen += [item["id"] for item in answer["items"]]
        if answer["next_cursor"] is None:
            break
        cursor = f"&cursor={answer['next_cursor']}"
    assert seen == names[::-1]


async def test_one_recipient_s_mails(client: AsyncTestClient, mailbox: Mailbox):
    put(mailbox, 1, "bob@example.com")
    name = put(mailbox, 2, "Ada@Example.com")
    answer = (await client.get("/v1/captured", params={"to": "ada@example.com"})).json()
    assert answer == {
        "items": [
            {
                "id": name,
                "channel": "email",
                "received_at": "2023-11-14T22:13:20Z",
                "sender": "bounce@shop.example",
                "to": ["Ada@Example.com"],
                "from": "Shop <hi@shop.example>",
                "subject": "mail 2",
                "message_id": "<2@shop.example>",
                "size": 87,
            }
        ],
        "next_cursor": None,
    }


async def test_one_mail_in_full(client: AsyncTestClient, mailbox: Mailbox):
    name = put(mailbox, 7)
    mail = (await client.get(f"/v1/captured/{name}")).json()
    assert mail["text"] == "code 7\n"
    assert mail["html"] is None
    assert {"name": "Subject", "value": "mail 7"} in mail["headers"]
    assert mail["source"].endswith("\r\n\r\ncode 7\r\n")
    assert mail["problems"] == ["It has no Date header"]
    assert mail["attachments"] == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/captured?limit=0", 422),
        ("/v1/captured?limit=501", 422),
        ("/v1/captured?limit=many", 400),
        ("/v1/captured?cursor=ses_1", 422),
        ("/v1/captured/cap_0000000z", 404),
        ("/v1/captured/nonsense", 404),
    ],
)
async def test_wrong_questions(client: AsyncTestClient, path: str, status: int):
    assert (await client.get(path)).status_code == status


async def test_they_stand_in_the_schema_and_pages_do_not(client: AsyncTestClient):
    schema = (await client.get("/schema/openapi.json")).json()
    assert set(schema["paths"]) == {"/v1/captured", "/v1/captured/{id}"}
    item = schema["components"]["schemas"]["CapturedMail"]["properties"]
    assert "from" in item
    assert "author" not in item
