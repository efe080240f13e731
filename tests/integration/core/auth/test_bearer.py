"""Access tokens that are remembered: what is not done again, and what is, with each request."""

from __future__ import annotations

import base64
import json
import tracemalloc
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import jwt
import pytest

from registry_core.access.signing_keys import CONTAINER, SigningKey, SigningKeys
from registry_core.auth import bearer
from registry_core.auth.bearer import ACCESS_LIFE, BearerInvalid, BearerTokens
from registry_core.auth.identity import Caller, Identity, IdentityKind, Means
from registry_core.model.grants import ALL
from registry_core.model.scope import Scope
from registry_core.storage.connection import Connection
from registry_core.storage.documents import Documents
from tests.integration.core.support import Client

LOGIN_SERVERS = ("localhost:7071",)
KEYS = "keys/tokens.json"


@dataclass
class Clock:
    """A time that is set."""

    time: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    def __call__(self) -> datetime:
        return self.time


@dataclass
class Verified:
    """How many signatures were computed to verify a token."""

    count: int = 0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> Verified:
    seen, decode = Verified(), jwt.decode

    def counted(*arguments: Any, **options: Any) -> Any:
        seen.count += 1
        return decode(*arguments, **options)

    monkeypatch.setattr(jwt, "decode", counted)
    return seen


@pytest.fixture
async def connection(client: Client) -> AsyncIterator[Connection]:
    """A connection to storage, whose keys are there again afterwards as they were."""
    documents = Documents(client.services.connection, CONTAINER)
    await client.services.signing_keys.signing()
    before = await documents.read(KEYS)
    assert before
    yield client.services.connection
    after = await documents.read(KEYS)
    assert after
    await documents.write(KEYS, before[0], after[1])


@pytest.fixture
def keys(connection: Connection, clock: Clock) -> SigningKeys:
    return SigningKeys(connection, clock)


@pytest.fixture
def tokens(keys: SigningKeys, clock: Clock) -> BearerTokens:
    return BearerTokens(keys, LOGIN_SERVERS, clock)


async def issue(tokens: BearerTokens, name: str = "admin", repository: str = "team/app") -> str:
    identity = Identity(IdentityKind.ADMIN, name, name)
    caller = Caller(identity, ALL, Means.BASIC, lambda _: "generation of " + name)
    issued = await tokens.issue_access(caller, [Scope("repository", repository, ("pull",))])
    return issued.token


async def replace_keys(
    connection: Connection, keys: SigningKeys, change: Callable[[SigningKey], list[SigningKey]]
) -> None:
    """Stores other keys in place of the newest, and has the instance read them."""
    documents = Documents(connection, CONTAINER)
    found = await documents.read(KEYS)
    assert found
    stored = [each.to_json() for each in change(await keys.signing())]
    await documents.write(KEYS, json.dumps({"keys": stored}).encode(), found[1])
    await keys.list()


def with_signature(token: str, change: Callable[[bytes], bytes]) -> str:
    head, payload, text = token.split(".")
    signature = change(base64.urlsafe_b64decode(text + "=="))
    return f"{head}.{payload}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def _flipped(place: int, content: bytes) -> bytes:
    """With one bit changed."""
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.rule("S10")
async def test_a_token_that_comes_again_is_not_verified_again(
    tokens: BearerTokens, verified: Verified
) -> None:
    token = await issue(tokens)
    first = await tokens.verify_access(token)
    assert verified.count == 1
    assert [await tokens.verify_access(token) for _ in range(3)] == [first] * 3
    assert first.identity.name == "admin"
    assert first.generation == "generation of admin"
    assert verified.count == 1


@pytest.mark.rule("S10")
async def test_a_remembered_token_is_refused_from_the_moment_on_in_which_it_ends(
    tokens: BearerTokens, clock: Clock, verified: Verified
) -> None:
    token, begun = await issue(tokens), clock.time
    await tokens.verify_access(token)
    clock.time = begun + ACCESS_LIFE - timedelta(microseconds=1)
    await tokens.verify_access(token)
    clock.time = begun + ACCESS_LIFE
    with pytest.raises(BearerInvalid, match="expired"):
        await tokens.verify_access(token)
    assert verified.count == 1


@pytest.mark.rule("S10")
async def test_a_remembered_token_is_refused_before_it_begins(
    tokens: BearerTokens, clock: Clock, verified: Verified
) -> None:
    """The clock of an instance is set back."""
    token, begun = await issue(tokens), clock.time
    await tokens.verify_access(token)
    clock.time = begun - timedelta(minutes=5)
    await tokens.verify_access(token)
    clock.time -= timedelta(seconds=1)
    with pytest.raises(BearerInvalid, match="not valid yet"):
        await tokens.verify_access(token)
    assert verified.count == 1


@pytest.mark.rule("S10")
async def test_a_remembered_token_is_refused_when_its_key_has_gone(
    tokens: BearerTokens, keys: SigningKeys, connection: Connection, clock: Clock
) -> None:
    token = await issue(tokens)
    await tokens.verify_access(token)
    await replace_keys(
        connection, keys, lambda _: [SigningKey.make(clock.time, clock.time - timedelta(1))]
    )
    with pytest.raises(BearerInvalid, match="unknown key"):
        await tokens.verify_access(token)
    # One that the key there is now has signed is good.
    await tokens.verify_access(await issue(tokens))


@pytest.mark.rule("S10")
async def test_a_remembered_token_is_refused_when_its_keys_id_means_another_key(
    tokens: BearerTokens, keys: SigningKeys, connection: Connection, clock: Clock
) -> None:
    token = await issue(tokens)
    await tokens.verify_access(token)
    await replace_keys(
        connection,
        keys,
        lambda key: [replace(key, private=SigningKey.make(clock.time, clock.time).private)],
    )
    with pytest.raises(BearerInvalid, match="InvalidSignatureError"):
        await tokens.verify_access(token)


@pytest.mark.rule("S10")
async def test_a_remembered_token_outlives_a_rotation_that_keeps_its_key(
    tokens: BearerTokens, keys: SigningKeys, verified: Verified, clock: Clock
) -> None:
    """The keys were read anew, and so it is verified with what was read."""
    token = await issue(tokens)
    await tokens.verify_access(token)
    clock.time += timedelta(minutes=1)  # The first key may have been made just now.
    assert await keys.rotate(max_age=timedelta(0))
    await keys.list()
    await tokens.verify_access(token)
    assert verified.count == 2


@pytest.mark.rule("S10")
async def test_nothing_that_differs_from_a_remembered_token_is_taken_for_it(
    tokens: BearerTokens, verified: Verified
) -> None:
    token = await issue(tokens)
    other = await issue(tokens, "somebody", "team/other")
    for each in (token, other):
        await tokens.verify_access(each)
    (head, payload, signature), (_, others, _) = token.split("."), other.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    wide = {**claims, "access": [{"type": "repository", "name": "*", "actions": ["*"]}]}
    widened = base64.urlsafe_b64encode(json.dumps(wide).encode()).decode().rstrip("=")
    forged = [
        f"{head}.{others}.{signature}",
        f"{head}.{widened}.{signature}",
        f"{head}.{payload}.",
        f"{head}.{payload}",
        token[:-1],
        token + "A",
        token.swapcase(),
    ]
    # Each byte of a signature of P-256.
    forged += [with_signature(token, partial(_flipped, place)) for place in range(64)]
    for text in forged:
        for _ in range(2):  # A refusal is not remembered as anything else either.
            with pytest.raises(BearerInvalid):
                await tokens.verify_access(text)
    before = verified.count
    assert (await tokens.verify_access(token)).identity.name == "admin"
    assert verified.count == before


async def test_a_refresh_token_is_never_an_access_token_however_often_it_was_good(
    tokens: BearerTokens,
) -> None:
    identity = Identity(IdentityKind.ENTRA, "somebody", "id", "tenant")
    token = await tokens.issue_refresh(identity, groups=[], roles=[])
    access = await issue(tokens)
    await tokens.verify_access(access)
    assert (await tokens.verify_refresh(token)).identity == identity
    for _ in range(2):
        with pytest.raises(BearerInvalid, match="kind"):
            await tokens.verify_access(token)
        with pytest.raises(BearerInvalid, match="kind"):
            await tokens.verify_refresh(access)


@pytest.mark.rule("S10")
async def test_tokens_that_are_refused_push_out_none_and_good_ones_the_least_used(
    keys: SigningKeys, clock: Clock, verified: Verified, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bearer, "_REMEMBERED", 3)
    tokens = BearerTokens(keys, LOGIN_SERVERS, clock)
    used, unused = await issue(tokens, "used"), await issue(tokens, "unused")
    past = BearerTokens(keys, LOGIN_SERVERS, lambda: clock.time - timedelta(hours=2))
    ended = [await issue(past) for _ in range(3)]
    for token in (unused, used):
        await tokens.verify_access(token)
    flipped = with_signature(used, lambda found: found[::-1])
    for token in (*ended, *(f"{flipped}{number}" for number in range(5)), "a.b.c", ""):
        with pytest.raises(BearerInvalid):
            await tokens.verify_access(token)
    before = verified.count
    for token in (unused, used):
        await tokens.verify_access(token)
    assert verified.count == before
    for number in range(5):
        await tokens.verify_access(await issue(tokens, f"name-{number}"))
        await tokens.verify_access(used)
    assert verified.count == before + 5
    await tokens.verify_access(unused)
    assert verified.count == before + 6


async def test_what_is_remembered_takes_the_memory_that_is_reckoned_with(
    tokens: BearerTokens,
) -> None:
    """With as many scopes as a token can have."""
    identity = Identity(IdentityKind.ADMIN, "admin", "admin")
    caller = Caller(identity, ALL, Means.BASIC)
    issued = [
        await tokens.issue_access(
            caller, [Scope("repository", f"r{number}-{each}", ("pull",)) for number in range(100)]
        )
        for each in range(20)
    ]
    await tokens.verify_access(issued[0].token)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for each in issued[1:]:
            await tokens.verify_access("".join(each.token))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    reckoned = sum(len(each.token) for each in issued[1:]) * bearer._BYTES_A_CHARACTER
    assert after - before <= reckoned


# Tokens that are given again.


@pytest.mark.rule("S11")
async def test_who_asks_for_the_same_soon_is_given_the_same_token_with_what_is_left_of_its_life(
    tokens: BearerTokens, clock: Clock
) -> None:
    scope = Scope("repository", "team/app", ("pull",))
    caller = Caller(Identity(IdentityKind.ADMIN, "admin", "admin"), ALL, Means.BASIC, lambda _: "g")
    first = await tokens.issue_access(caller, [scope])
    clock.time += timedelta(seconds=29)
    again = await tokens.issue_access(caller, [scope])
    assert (first.life, again) == (3600, (first.token, 3571))
    clock.time += timedelta(seconds=1)
    later = await tokens.issue_access(caller, [scope])
    assert later.token != first.token
    assert later.life == 3600
    clock.time -= timedelta(hours=1)
    assert (await tokens.issue_access(caller, [scope])).token != later.token


@pytest.mark.rule("S11")
async def test_who_asks_for_anything_else_or_is_anybody_else_is_given_another_token(
    tokens: BearerTokens,
) -> None:
    scope = Scope("repository", "team/app", ("pull",))
    admin = Identity(IdentityKind.ADMIN, "admin", "admin")
    caller = Caller(admin, ALL, Means.BASIC, lambda _: "g")
    asked = [
        (caller, [scope]),
        (caller, []),
        (caller, [scope, scope]),
        (caller, [replace(scope, actions=("pull", "push"))]),
        (caller, [replace(scope, name="team/other")]),
        (replace(caller, generation=lambda _: "another password"), [scope]),
        (replace(caller, not_after=2**40), [scope]),
        (replace(caller, identity=replace(admin, kind=IdentityKind.TOKEN)), [scope]),
        (replace(caller, identity=replace(admin, tenant="t")), [scope]),
        (replace(caller, identity=replace(admin, subject="other")), [scope]),
    ]
    issued = [await tokens.issue_access(*each) for each in asked]
    assert len({each.token for each in issued}) == len(asked)
    for (who, scopes), token in zip(asked, issued, strict=True):
        assert (await tokens.issue_access(who, scopes)).token == token.token


@pytest.mark.rule("S11")
async def test_a_token_of_a_key_that_signs_no_more_is_not_given_again(
    tokens: BearerTokens, connection: Connection, keys: SigningKeys, clock: Clock
) -> None:
    """Also where the new key has the name of the old one."""
    first, start = await issue(tokens), clock.time
    assert await issue(tokens) == first
    await replace_keys(
        connection, keys, lambda key: [replace(key, private=SigningKey.make(start, start).private)]
    )
    again = await issue(tokens)
    assert again != first
    await tokens.verify_access(again)
