"""Retention where what is deleted can be restored."""

from __future__ import annotations

import pytest

from registry_core.lifecycle.retention.decide import Kept
from registry_core.lifecycle.retention.policy import Tags
from tests.integration.core.retention.support import AT_ONCE, Retaining
from tests.integration.core.retention.test_visit import (
    fill,
    present,
    push_index,
    reasons,
    rule,
)
from tests.integration.core.soft import keeping, purge
from tests.integration.core.support import Client, digest_of


@pytest.mark.rule("K3")
async def test_what_an_index_holds_follows_when_the_index_is_purged(
    client: Client, repository: str
) -> None:
    await client.push_image(repository, "kept")
    child = await client.push_image(repository, "")
    index = digest_of(await push_index(client, repository, "", child))
    retaining = Retaining(client, repository, [AT_ONCE])
    async with keeping(client):
        visit = await retaining.visit()
        assert {str(each.what) for each in visit.gone} == {index}
        assert reasons(visit)[child.digest] == Kept.HELD.value
        assert child.digest in await present(client, repository)
        visit = await retaining.visit()
        assert (list(visit.gone), reasons(visit)[child.digest]) == ([], Kept.CHILD.value)
        deleted = await client.send("GET", f"/acr/v1/_deleted/{repository}/_manifests")
        assert deleted.status_code == 200, deleted.text
        assert index in deleted.text
        await purge(client)
        assert await retaining.gone() == {child.digest}


@pytest.mark.rule("K1")
async def test_tags_that_retention_takes_can_be_restored(client: Client, repository: str) -> None:
    images = await fill(client, repository, 18)
    retaining = Retaining(client, repository, [rule(Tags(keep_last=1))])
    async with keeping(client):
        visit = await retaining.visit()
        assert len(visit.gone) == 17
        url = f"/acr/v1/_deleted/{repository}/_tags"
        deleted = await client.send("GET", url)
        assert deleted.status_code == 200, deleted.text
        assert all(f'"t{number}"' in deleted.text for number in range(17))
        assert await present(client, repository) == {"t17"} | {each.digest for each in images}
