"""API keys in PostgreSQL."""

import pytest

from trade_service.domain.access import KnownBy, Principal, Role
from trade_service.domain.errors import AlreadyExists, NotFound
from trade_service.identity.api_keys import ApiKeys, make_key
from trade_service.store.database import Database
from trade_service.store.key_store import PostgresKeys


async def test_keys_are_added_found_and_revoked(database: Database) -> None:
    store = PostgresKeys(database)
    portal, desk = make_key("portal", Role.TRADER), make_key("desk", Role.OPERATOR)
    for new in (portal, desk):
        await store.add(new.key)
    assert [(key.id, key.role, key.digest) for key in await store.active()] == [
        (new.key.id, new.key.role, new.key.digest) for new in (desk, portal)
    ]
    with pytest.raises(AlreadyExists, match="named 'portal'"):
        await store.add(make_key("portal", Role.READER).key)
    assert [key.id for key in await store.revoke("portal")] == [portal.key.id]
    assert [key.id for key in await store.revoke(desk.key.id)] == [desk.key.id]
    assert await store.active() == []
    with pytest.raises(NotFound, match="active API key portal does not exist"):
        await store.revoke("portal")
    await store.add(make_key("portal", Role.READER).key)
    assert [(key.name, key.revoked_at is None) for key in await store.all()] == [
        *(("portal", False), ("desk", False), ("portal", True))
    ]


async def test_a_key_revoked_by_one_replica_is_refused_by_others(database: Database) -> None:
    store, new = PostgresKeys(database), make_key("portal", Role.READER)
    replicas = [ApiKeys(store.active, 0), ApiKeys(store.active, 300)]
    await store.add(new.key)
    for replica in replicas:
        assert await replica.principal(new.text) == Principal("portal", Role.READER, KnownBy.API_KEY)
    await store.revoke("portal")
    with pytest.raises(Exception, match="unknown, expired or revoked"):
        await replicas[0].principal(new.text)
    assert await replicas[1].principal(new.text), "read at most so often"
