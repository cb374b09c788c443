"""API keys in PostgreSQL."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.requesters import asked_by
from tests.support.trading import run_sql, value_of
from trade_service.domain.access import KnownBy, NotAuthenticated, Principal, Requester, Role
from trade_service.domain.errors import AlreadyExists, NotFound
from trade_service.identity.api_keys import ApiKeys, make_key
from trade_service.store.audit_log_store import PostgresAuditEntries
from trade_service.store.database import Database
from trade_service.store.key_store import PostgresKeys
from trade_service.trading.audit_log import AuditFilter, ObjectKind

REFUSED = "unknown, expired or revoked"
SOON = datetime.now(UTC) + timedelta(days=90)


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
    with pytest.raises(NotAuthenticated, match=REFUSED):
        await replicas[0].principal(new.text)
    assert await replicas[1].principal(new.text), "read at most so often"


async def test_an_expired_key_is_refused_and_frees_its_name(database: Database) -> None:
    store, new = PostgresKeys(database), make_key("portal", Role.READER, "the portal", SOON)
    await store.add(new.key)
    (kept,) = await store.all()
    assert (kept.label, kept.expires_at, kept.has_ended) == ("the portal", SOON, False)
    with pytest.raises(AlreadyExists, match="named 'portal'"):
        await store.add(make_key("portal", Role.READER).key)
    await run_sql(database, "UPDATE api_key SET expires_at = now()")
    with pytest.raises(NotAuthenticated, match=REFUSED):
        await ApiKeys(store.active, 0).principal(new.text)
    (kept,) = await store.all()
    assert (kept.has_ended, kept.revoked_at) == (True, None)
    await store.add(make_key("portal", Role.TRADER).key)
    assert [(key.role, key.has_ended) for key in await store.all()] == [
        (Role.READER, True),
        (Role.TRADER, False),
    ]


async def test_a_rotated_key_works_for_the_overlap(database: Database) -> None:
    store = PostgresKeys(database)
    first, second, third = (make_key("portal", Role.READER) for _ in range(3))
    await store.add(first.key)
    old = await store.current("portal")
    replaced = await store.rotate(old, second.key, 7 * 86_400)
    left = await value_of(database, "SELECT extract(epoch FROM :at - now())", at=replaced.expires_at)
    assert 7 * 86_400 - 60 < left <= 7 * 86_400
    assert (replaced.replaced_by, (await store.current("portal")).id) == (second.key.id, second.key.id)
    keys = ApiKeys(store.active, 0)
    for one in (first, second):
        assert (await keys.principal(one.text)).name == "portal"
    with pytest.raises(NotFound, match=f"active API key {first.key.id}"):
        await store.rotate(old, third.key, 0)
    await store.rotate(await store.current("portal"), third.key, 0)
    with pytest.raises(NotAuthenticated, match=REFUSED):
        await keys.principal(second.text)
    assert {key.id for key in await store.revoke("portal")} == {
        first.key.id, second.key.id, third.key.id,
    }  # fmt: skip
    assert await store.active() == []


async def test_an_overlap_does_not_prolong_a_key(database: Database) -> None:
    store = PostgresKeys(database)
    await store.add(make_key("portal", Role.READER, expires_at=SOON).key)
    old = await store.current("portal")
    assert (await store.rotate(old, make_key("portal", Role.READER).key, 10**9)).expires_at == SOON


async def test_uses_are_recorded_and_never_go_back(database: Database) -> None:
    store, new, other = PostgresKeys(database), make_key("a", Role.READER), make_key("b", Role.READER)
    for one in (new, other):
        await store.add(one.key)
    await store.note_used({new.key.id: 5.0, "gone": 1.0})
    (at,) = [key.last_used_at for key in await store.all() if key.last_used_at is not None]
    assert 5 <= await value_of(database, "SELECT extract(epoch FROM now() - :at)", at=at) < 60
    await store.note_used({new.key.id: 3600.0})
    assert (await store.current("a")).last_used_at == at
    assert (await store.current("b")).last_used_at is None


async def test_every_change_of_a_key_is_in_the_audit_log(database: Database) -> None:
    store, second = PostgresKeys(database), make_key("portal", Role.READER)
    with asked_by(Requester("ann", KnownBy.COMMAND, is_audited=True)):
        await store.add(make_key("portal", Role.READER, "the portal", SOON).key)
        old = await store.current("portal")
        await store.rotate(old, second.key, 60)
        await store.revoke("portal")
        with pytest.raises(NotFound):
            await store.revoke("portal")
    log = PostgresAuditEntries(database)
    revoked, rotated, created = (await log.page(AuditFilter(object=ObjectKind.API_KEY), None, 10)).entries
    assert [one.action for one in (created, rotated, revoked)] == ["create", "rotate", "revoke"]
    assert {one.actor for one in (created, rotated, revoked)} == {"ann"}
    assert {one.object_name for one in (created, rotated, revoked)} == {"portal"}
    assert created.details is not None
    assert (created.details["id"], created.details["label"]) == (old.id, "the portal")
    assert rotated.details is not None
    assert (rotated.details["id"], rotated.details["replaces"]) == (second.key.id, old.id)
    assert revoked.details is not None
    assert set(revoked.details["ids"]) == {old.id, second.key.id}
