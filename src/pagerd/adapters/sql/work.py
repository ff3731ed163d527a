"""One transaction over the control plane: the repositories around one connection."""

from __future__ import annotations

from sqlalchemy import Connection

from pagerd.adapters.sql.repos.addresses import SqlAddressIndex
from pagerd.adapters.sql.repos.batches import SqlBatches
from pagerd.adapters.sql.repos.keys import SqlApiKeys, SqlIdempotency
from pagerd.adapters.sql.repos.parts import SqlParts
from pagerd.adapters.sql.repos.providers import SqlProviders
from pagerd.adapters.sql.repos.quarantine import SqlQuarantine
from pagerd.adapters.sql.repos.reasons import SqlFacts, SqlReasons
from pagerd.adapters.sql.repos.sessions import SqlSessions
from pagerd.adapters.sql.repos.templates import SqlTemplates
from pagerd.ports import store


class SqlWork:
    """Implements ``ports.store.Work``; whoever made the connection's transaction ends it.

    With ``changes``, rows that are read in order to be written again are locked where the database has more than one
    writer: the second of two changes waits, and reads what the first has written.
    """

    def __init__(self, connection: Connection, *, changes: bool = True) -> None:
        self.sessions: store.Sessions = SqlSessions(connection, changes=changes)
        self.parts: store.Parts = SqlParts(connection, changes=changes)
        self.batches: store.Batches = SqlBatches(connection)
        self.reasons: store.Reasons = SqlReasons(connection)
        self.templates: store.Templates = SqlTemplates(connection, changes=changes)
        self.api_keys: store.ApiKeys = SqlApiKeys(connection)
        self.providers: store.Providers = SqlProviders(connection, changes=changes)
        self.idempotency: store.Idempotency = SqlIdempotency(connection)
        self.addresses: store.AddressIndex = SqlAddressIndex(connection)
        self.facts: store.Facts = SqlFacts(connection, changes=changes)
        self.quarantine: store.Quarantine = SqlQuarantine(connection)
