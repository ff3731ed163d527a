"""What is wrong is said with the setting, its value without the password, and the remedy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from tools.servers.certificate import Certificate
from tools.servers.ports import free_port
from tools.servers.postgres import PostgresServer

from pagerd.adapters.sql.postgres.address import address
from pagerd.adapters.sql.postgres.keystore import PostgresKeyStore
from pagerd.adapters.sql.postgres.shape import migrated
from pagerd.adapters.sql.postgres.store import PostgresStore
from pagerd.core.errors import Misconfigured, PagerError, Unavailable


async def refused(url: str, kind: type[PagerError]) -> Any:
    with pytest.raises(kind) as caught:
        await migrated(url)
    assert "secret" not in str(caught.value)
    assert "store = 'postgresql://" in str(caught.value)
    return caught.value


async def test_a_wrong_password(postgres_url: str) -> None:
    head, _, tail = postgres_url.partition("@")
    error = await refused(f"{head.rpartition(':')[0]}:secret@{tail}", Misconfigured)
    assert (error.code, error.remedy) == ("store_password", "Correct the password in the URL.")


async def test_a_database_that_is_not_there(postgres_url: str) -> None:
    error = await refused(postgres_url.rpartition("/")[0] + "/nowhere", Misconfigured)
    assert error.code == "store_database_missing"


async def test_a_server_that_is_not_there() -> None:
    error = await refused(f"postgresql://pagerd:secret@127.0.0.1:{free_port()}/pagerd", Unavailable)
    assert error.code == "store_unreachable"
    assert "nobody listens there" in str(error)


async def test_a_host_that_is_not_there() -> None:
    error = await refused("postgresql://pagerd:secret@no-such-host.invalid/pagerd", Misconfigured)
    assert error.code == "store_host"


async def test_a_missing_right(postgres_server: PostgresServer, database: str, admin: psycopg.Connection) -> None:
    admin.execute("REVOKE ALL ON TABLE fact FROM pagerd")
    try:
        store = PostgresStore(postgres_server.url_of(database))
        with pytest.raises(Misconfigured) as caught:
            await store.read(lambda w: w.facts.get("x"))
        await store.aclose()
    finally:
        admin.execute("GRANT ALL ON TABLE fact TO pagerd")
    assert caught.value.code == "store_right_missing"
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("named", "trusted", "code"),
    [("DNS:other.example", True, "store_tls_name"), ("IP:127.0.0.1", False, "store_tls_untrusted")],
)
async def test_a_certificate_that_is_not_the_servers(
    private_postgres: Callable[..., PostgresServer],
    make_certificate: Callable[..., Certificate],
    named: str,
    trusted: bool,
    code: str,
) -> None:
    made = make_certificate(named)
    server = private_postgres(tls=made)
    root = made if trusted else make_certificate("DNS:elsewhere.example")
    error = await refused(f"{server.url}?sslmode=verify-full&sslrootcert={root.chain}", Misconfigured)
    assert error.code == code


@pytest.mark.parametrize(
    "url",
    [
        "",
        "postgresql:secret",
        "mysql://a:secret@b/c",
        "postgresql://a:secret@b",
        "postgresql://a:secret@b:port/c",
        "postgresql://a:secret@b/c?pgbouncer=perhaps",
    ],
)
def test_a_url_that_says_nothing(url: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        address(url, "store_direct")
    assert caught.value.code == "store_url"
    assert "store_direct" in str(caught.value)
    assert "secret" not in str(caught.value) + caught.value.remedy


def test_what_is_shown_has_no_password() -> None:
    at = address("postgresql+psycopg://a:secret@b:5433/c?pgbouncer=true&sslpassword=secret&sslmode=require")
    assert at.shown == "postgresql+psycopg://a:***@b:5433/c?pgbouncer=true&sslmode=require"
    assert (at.driver, at.pooled) == ("psycopg", True)
    assert at.dsn == "postgresql://a:secret@b:5433/c?sslmode=require&sslpassword=secret"


async def test_the_key_store_names_its_own_setting() -> None:
    store = PostgresKeyStore(f"postgresql://pagerd:secret@127.0.0.1:{free_port()}/keys")
    with pytest.raises(Unavailable, match="key_store = "):
        await store.made()
    await store.aclose()
