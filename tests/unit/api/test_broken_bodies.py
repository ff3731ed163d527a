"""A corpus of bodies that are wrong: each with its status, its code, and where the faults are. None is a 500."""

import json

import pytest

AUDIENCE = {"recipients": [{"to": "ada@example.com"}]}
GOOD = {"template": "hello", "audience": AUDIENCE}
TO = {"to": "ada@example.com", "template": "hello"}

# What is no JSON: (what it is, body, code, line, column)
MALFORMED = [
    ("empty", b"", "body_empty", None, None),
    ("blank", b" \n\t ", "body_empty", None, None),
    ("bare word", b"hello", "json_malformed", 1, 1),
    ("cut short", b'{"template": "hello', "json_malformed", 1, 14),
    ("cut after the comma", b'{"template": "hello",', "json_malformed", 1, 22),
    ("trailing comma", b'{"template": "hello",}', "json_malformed", 1, 22),
    ("missing comma", b'{"template": "hello"\n "audience": {}}', "json_malformed", 2, 2),
    ("missing colon", b'{"template" "hello"}', "json_malformed", 1, 13),
    ("single quotes", b"{'template': 'hello'}", "json_malformed", 1, 2),
    ("a comment", b'{\n  // no\n  "template": "hello"}', "json_malformed", 2, 3),
    ("two values", b'{"template": "hello"} {}', "json_malformed", 1, 23),
    ("a control character", b'{"template": "he\x01llo"}', "json_malformed", 1, 17),
    ("a raw line break in a string", b'{"template": "he\nllo"}', "json_malformed", 1, 17),
    ("a bad escape", b'{"template": "\\x41"}', "json_malformed", 1, 15),
    ("a short unicode escape", b'{"template": "\\u12"}', "json_malformed", 1, 16),
    ("a byte order mark", b'\xef\xbb\xbf{"template": "hello"}', "json_malformed", 1, 1),
    ("UTF-16", '{"template": "hello"}'.encode("utf-16"), "encoding", None, None),
    ("Latin-1", '{"template": "h\xfc"}'.encode("latin-1"), "encoding", None, None),
    ("an overlong byte sequence", b'{"template": "\xc0\x80"}', "encoding", None, None),
    ("an encoded surrogate", b'{"template": "\xed\xa0\x80"}', "encoding", None, None),
    ("half a surrogate pair", b'{"template": "\\ud800", "audience": {"upload": true}}', "lone_surrogate", None, None),
    ("half a pair as a name", b'{"\\udfff": 1}', "lone_surrogate", None, None),
    ("not a number", b'{"template": "hello", "data": {"n": NaN}}', "json_malformed", None, None),
    ("infinity", b'{"template": "hello", "data": {"n": -Infinity}}', "json_malformed", None, None),
    ("a number too big", b'{"template": "hello", "data": {"n": 1e999}}', "number_out_of_range", None, None),
    ("a whole number of 5000 digits", b'{"data": {"n": ' + b"7" * 5000 + b"}}", "number_out_of_range", None, None),
    ("a leading zero", b'{"batch_size": 05}', "json_malformed", 1, 17),
    ("a leading plus", b'{"batch_size": +5}', "json_malformed", 1, 16),
    ("a NUL byte", b"\x00", "json_malformed", 1, 1),
    ("lists without end", b"[" * 100_000, "too_deep", None, None),
    ("objects without end", b'{"a":' * 100_000, "too_deep", None, None),
    ("sound, but 200 deep", b'{"data":' + b"[" * 200 + b"]" * 200 + b"}", "too_deep", None, None),
    ("a name twice", b'{"template": "a", "template": "b", "audience": {"upload": true}}', "name_repeated", None, None),
    ("a name twice, of other types", b'{"template": 1, "template": "b"}', "name_repeated", None, None),
    ("a name twice, deep inside", b'{"template": "a", "audience": {"upload": true}, "data": {"x": [{"y": 1, "y": 2}]}}',
     "name_repeated", None, None),
    ("a name twice, once escaped", b'{"template": "a", "audience": {"upload": true}, "data": {"x": 1, "\\u0078": 2}}',
     "name_repeated", None, None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "code", "line", "column"), [case[1:] for case in MALFORMED], ids=[c[0] for c in MALFORMED]
)
async def test_what_is_no_json_says_where_it_breaks(ask, house, body, code, line, column):
    heard = await ask("POST", "/v1/sessions", [body], {"Content-Type": "application/json"})
    problem = json.loads(heard.body)
    assert (heard.status, problem["code"]) == (400, code)
    if line is not None:
        assert [(fault["line"], fault["column"]) for fault in problem["errors"]] == [(line, column)]
    assert house.room.requests == []


async def test_wrong_encoding_says_the_byte(ask):
    heard = await ask("POST", "/v1/messages", [b'{"to": "\xc3\xbc\xff"}'])
    assert "byte offset 10 " in json.loads(heard.body)["detail"]


# What is JSON and wrong: (what it is, path, body, {pointer: code})
SESSIONS, MESSAGES = "/v1/sessions", "/v1/messages"
INVALID = [
    ("a list", SESSIONS, [], {"": "field_type"}),
    ("a string", SESSIONS, "hello", {"": "field_type"}),
    ("null", SESSIONS, None, {"": "field_type"}),
    ("a number", MESSAGES, 17, {"": "field_type"}),
    ("nothing in it", SESSIONS, {}, {"/template": "field_missing", "/audience": "field_missing"}),
    ("no recipient", MESSAGES, {"template": "hello"}, {"/to": "field_missing"}),
    ("an unknown field", SESSIONS, GOOD | {"tempalte": "x"}, {"/tempalte": "field_unknown"}),
    ("a field of sessions in a message", MESSAGES, TO | {"batch_size": 5}, {"/batch_size": "field_unknown"}),
    ("an unknown field with a slash", SESSIONS, GOOD | {"a/b~c": 1}, {"/a~1b~0c": "field_unknown"}),
    ("a template that is a number", SESSIONS, GOOD | {"template": 3}, {"/template": "field_type"}),
    ("a template that is null", SESSIONS, GOOD | {"template": None}, {"/template": "field_type"}),
    ("an empty template", SESSIONS, GOOD | {"template": ""}, {"/template": "too_short"}),
    ("a template's name too long", SESSIONS, GOOD | {"template": "x" * 201}, {"/template": "too_long"}),
    ("an unknown channel", SESSIONS, GOOD | {"channel": "emial"}, {"/channel": "not_a_choice"}),
    ("a channel that is a list", SESSIONS, GOOD | {"channel": ["email"]}, {"/channel": "field_type"}),
    ("an audience that is a list", SESSIONS, GOOD | {"audience": ["ada@example.com"]}, {"/audience": "field_type"}),
    ("an empty audience", SESSIONS, GOOD | {"audience": {}}, {"/audience": "field_missing"}),
    ("an upload that is none", SESSIONS, GOOD | {"audience": {"upload": False}}, {"/audience": "field_missing"}),
    ("two audiences", SESSIONS, GOOD | {"audience": AUDIENCE | {"upload": True}},
     {"/audience/upload": "conflicting_fields"}),
    ("recipients that are an object", SESSIONS, GOOD | {"audience": {"recipients": {"to": "a@b.c"}}},
     {"/audience/recipients": "field_type"}),
    ("an upload that is a word", SESSIONS, GOOD | {"audience": {"upload": "yes"}}, {"/audience/upload": "field_type"}),
    ("an unknown field inside", SESSIONS, GOOD | {"audience": AUDIENCE | {"recipient": []}},
     {"/audience/recipient": "field_unknown"}),
    ("a batch of none", SESSIONS, GOOD | {"batch_size": 0}, {"/batch_size": "out_of_range"}),
    ("a batch too big", SESSIONS, GOOD | {"batch_size": 501}, {"/batch_size": "out_of_range"}),
    ("a batch of a fraction", SESSIONS, GOOD | {"batch_size": 2.5}, {"/batch_size": "field_type"}),
    ("a batch of true", SESSIONS, GOOD | {"batch_size": True}, {"/batch_size": "field_type"}),
    ("a batch of a word", SESSIONS, GOOD | {"batch_size": "5"}, {"/batch_size": "field_type"}),
    ("a batch of a googol", SESSIONS, GOOD | {"batch_size": 10**100}, {"/batch_size": "out_of_range"}),
    ("no time to live", SESSIONS, GOOD | {"ttl": 0}, {"/ttl": "out_of_range"}),
    ("a negative time to live", MESSAGES, TO | {"ttl": -300}, {"/ttl": "out_of_range"}),
    ("a time to live of a century", MESSAGES, TO | {"ttl": 10**12}, {"/ttl": "out_of_range"}),
    ("two ends", MESSAGES, TO | {"ttl": 5, "expires_at": "2026-11-22T18:30:00Z"}, {"/ttl": "conflicting_fields"}),
    ("a time without offset", SESSIONS, GOOD | {"send_at": "2026-11-22T18:30:00"}, {"/send_at": "bad_time"}),
    ("a date", SESSIONS, GOOD | {"send_at": "2026-11-22"}, {"/send_at": "bad_time"}),
    ("a 30th of February", SESSIONS, GOOD | {"expires_at": "2026-02-30T00:00:00Z"}, {"/expires_at": "bad_time"}),
    ("an hour 25", SESSIONS, GOOD | {"expires_at": "2026-02-03T25:00:00Z"}, {"/expires_at": "bad_time"}),
    ("a time in words", SESSIONS, GOOD | {"send_at": "tomorrow"}, {"/send_at": "bad_time"}),
    ("a time in seconds", SESSIONS, GOOD | {"send_at": 1795372200}, {"/send_at": "field_type"}),
    ("an unknown priority", SESSIONS, GOOD | {"priority": "high"}, {"/priority": "not_a_choice"}),
    ("a numeric priority", SESSIONS, GOOD | {"priority": 0}, {"/priority": "field_type"}),
    ("an unknown policy", SESSIONS, GOOD | {"on_invalid": "ignore"}, {"/on_invalid": "not_a_choice"}),
    ("another unknown policy", SESSIONS, GOOD | {"on_doubt": "skip"}, {"/on_doubt": "not_a_choice"}),
    ("data that is a list", SESSIONS, GOOD | {"data": [1]}, {"/data": "field_type"}),
    ("metadata that is a word", MESSAGES, TO | {"metadata": "x"}, {"/metadata": "field_type"}),
    ("a sender that is an object", SESSIONS, GOOD | {"from": {"email": "x"}}, {"/from": "field_type"}),
    ("the sender by its inner name", SESSIONS, GOOD | {"sender": "x@example.com"}, {"/sender": "field_unknown"}),
    ("a locale without end", SESSIONS, GOOD | {"locale": "x" * 36}, {"/locale": "too_long"}),
    ("a recipient that is a number", MESSAGES, TO | {"to": 49123456}, {"/to": "field_type"}),
    ("a recipient that is null", MESSAGES, TO | {"to": None}, {"/to": "field_type"}),
    ("a recipient that is a list", MESSAGES, TO | {"to": ["a@example.com"]}, {"/to": "field_type"}),
    ("inline content", SESSIONS, {"content": {"text": "hi"}, "audience": AUDIENCE}, {"/content": "not_supported_yet"}),
    ("several channels", SESSIONS, GOOD | {"channels": ["email", "sms"]}, {"/channels": "not_supported_yet"}),
    ("a saved audience", SESSIONS, GOOD | {"audience": {"saved": "aud_1"}}, {"/audience/saved": "not_supported_yet"}),
    ("a route", SESSIONS, GOOD | {"route": "cheap"}, {"/route": "not_supported_yet"}),
    ("attachments", MESSAGES, TO | {"attachments": []}, {"/attachments": "not_supported_yet"}),
    ("many things", SESSIONS, {"template": 1, "audience": {"x": 1}, "batch_size": 0, "chanel": "email", "route": "r"},
     {"/template": "field_type", "/audience/x": "field_unknown", "/audience": "field_missing",
      "/batch_size": "out_of_range", "/chanel": "field_unknown", "/route": "not_supported_yet"}),
    ("parts that are words", "/v1/sessions/{id}/start", {"parts": "two"},
     {"/parts": "field_type", "/recipients": "field_missing"}),
    ("parts below none", "/v1/sessions/{id}/start", {"parts": -1, "recipients": 1}, {"/parts": "out_of_range"}),
    ("a reason that is a number", "/v1/sessions/{id}/pause", {"reason": 7}, {"/reason": "field_type"}),
    ("something to resume with", "/v1/sessions/{id}/resume", {"reason": "x"}, {"/reason": "field_unknown"}),
    ("a redrive of who was told", "/v1/sessions/{id}/redrive", {"where": {"state": "accepted"}},
     {"/where/state": "not_a_choice"}),
    ("a redrive of an unknown class", "/v1/sessions/{id}/redrive", {"where": {"class": "transiet"}},
     {"/where/class": "not_a_choice"}),
    ("a redrive by force of a word", "/v1/sessions/{id}/redrive", {"force": "yes"}, {"/force": "field_type"}),
    ("a search for nobody", "/v1/recipients/search", {"to": ""}, {"/to": "too_short"}),
    ("a search since a day", "/v1/recipients/search", {"to": "a@b.c", "since": "monday"}, {"/since": "bad_time"}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "faults"), [case[1:] for case in INVALID], ids=[case[0] for case in INVALID])
async def test_what_is_json_and_wrong_has_every_fault_with_its_pointer(client, house, session_id, path, body, faults):
    house.room.requests.clear()
    raw = json.dumps(body)
    headers = {**house.all, "Content-Type": "application/json"}
    answer = await client.post(path.replace("{id}", session_id), content=raw, headers=headers)
    problem = answer.json()
    assert answer.status_code == 422
    assert {fault["pointer"]: fault["code"] for fault in problem["errors"]} == faults
    assert problem["error_count"] == len(faults)
    only_later = set(faults.values()) == {"not_supported_yet"}
    assert problem["code"] == ("not_supported_yet" if only_later else "invalid")
    assert house.room.requests == []


NEAREST = [
    ({"tempalte": "x"}, "did you mean 'template'?"),
    ({"priority": "urgnet"}, "did you mean 'urgent'?"),
    ({"channel": "e-mail"}, "did you mean 'email'?"),
    ({"sendat": 1}, "did you mean 'send_at'?"),
]


@pytest.mark.parametrize(("body", "words"), NEAREST)
async def test_a_near_miss_is_told_the_right_word(client, house, body, words):
    answer = await client.post("/v1/sessions", json=GOOD | body, headers=house.all)
    assert words in answer.json()["errors"][0]["detail"]


async def test_a_thousand_faults_are_counted_and_a_hundred_shown(client, house):
    body = GOOD | {f"field{i}": i for i in range(1000)}
    problem = (await client.post("/v1/sessions", json=body, headers=house.all)).json()
    assert (len(problem["errors"]), problem["error_count"]) == (100, 1000)


async def test_a_name_of_half_a_megabyte_costs_nothing(client, house):
    problem = (await client.post("/v1/sessions", json=GOOD | {"x" * 500_000: 1}, headers=house.all)).json()
    assert problem["code"] == "invalid"
    assert len(problem["errors"][0]["detail"]) < 200


SOUND = [
    b'{"template": "a\\\\", "audience": {"upload": true}}',
    b'{"template": "a\\u005c", "audience": {"upload": true}}',
    b'{"template": "a\\u0022b", "audience": {"upload": true}, "data": {"x": 1.5e3, "y": "\\/"}}',
    b'{"template": "a", "audience": {"upload": true}, "data": {"x": {"y": 1}, "y": {"x": 1}}}',
    b'{"template": "a", "audience": {"recipients": null, "upload": true}, "channel": null}',
    b'{"template": "a", "audience": {"upload": true}, "data": {"x": "' + b"[{" * 200 + b'"}}',
    b'{"template": "a", "audience": {"upload": true}, "data": {"x": ' + b"[" * 90 + b"]" * 90 + b"}}",
    b'{"template": "a", "audience": {"upload": true}, "data": {"n": 123456789012345678901234567890}}',
    '{"template": "a", "audience": {"upload": true}, "data": {"naïve": "\U0001f600"}}'.encode(),
    b'{"template": "a", "audience": {"upload": true}, "data": {"x": "\\ud83d\\ude00"}}',
]


@pytest.mark.parametrize("body", SOUND)
async def test_strange_but_sound_bodies_are_admitted(ask, body):
    heard = await ask("POST", "/v1/sessions", [body], {"Content-Type": "application/json"})
    assert heard.status == 202, heard.body


OTHER_FORMS = ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1"]
OTHER_FORMS += ["multipart/form-data; boundary=x", "", "application/xml", "json"]


@pytest.mark.parametrize("media", OTHER_FORMS)
async def test_another_media_type_is_415_and_says_which_would_do(ask, media):
    heard = await ask("POST", "/v1/sessions", [json.dumps(GOOD).encode()], {"Content-Type": media})
    assert (heard.status, json.loads(heard.body)["code"]) == (415, "unsupported_media_type")
    assert heard.headers["accept"] == "application/json"


JSON_FORMS = [None, "application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"']


@pytest.mark.parametrize("media", JSON_FORMS)
async def test_json_by_any_of_its_names_is_understood(ask, media):
    headers = {} if media is None else {"Content-Type": media}
    assert (await ask("POST", "/v1/sessions", [json.dumps(GOOD).encode()], headers)).status == 202


async def test_a_packed_json_body_is_415(ask):
    heard = await ask("POST", "/v1/sessions", [b"\x1f\x8b"], {"Content-Encoding": "gzip"})
    assert (heard.status, heard.headers["accept-encoding"]) == (415, "identity")


async def test_a_body_in_pieces_is_put_together(ask, house):
    raw = json.dumps(GOOD | {"locale": "dé"}, ensure_ascii=False).encode()
    heard = await ask("POST", "/v1/sessions", [raw[i : i + 1] for i in range(len(raw))])
    assert heard.status == 202
    assert house.room.requests[0].locale == "dé"


async def test_a_body_over_the_limit_is_refused_while_it_comes(ask):
    pieces = [b" " * 65_536] * 17 + [None]
    heard = await ask("POST", "/v1/sessions", pieces)
    assert (heard.status, json.loads(heard.body)["code"]) == (413, "body_too_large")


async def test_a_body_that_says_to_be_over_the_limit_is_not_read_at_all(ask):
    heard = await ask("POST", "/v1/sessions", [None], {"Content-Length": str((1 << 20) + 1)})
    assert heard.status == 413


async def test_a_body_at_the_limit_is_read(ask):
    raw = json.dumps(GOOD).encode()
    assert (await ask("POST", "/v1/sessions", [raw + b" " * ((1 << 20) - len(raw))])).status == 202
    assert (await ask("POST", "/v1/sessions", [raw + b" " * ((1 << 20) - len(raw) + 1)])).status == 413


async def test_a_connection_that_breaks_admits_nobody(ask, house):
    raw = json.dumps(GOOD).encode()
    for pieces in ([None], [raw[:20], None], [raw[:20], b"", None]):
        heard = await ask("POST", "/v1/sessions", pieces)
        assert (heard.status, json.loads(heard.body)["code"]) == (400, "disconnected")
    assert house.room.requests == []
