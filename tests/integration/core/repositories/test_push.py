"""Pushing manifests through the edge, alone and beside other changes."""

import asyncio
import json
import secrets
import time
from typing import Any

import pytest

from registry_core.blobs import rows as blob_rows
from registry_core.model.digest import Digest
from registry_core.model.names import RepositoryName
from registry_core.repositories.executor import CHANGE_DEADLINE
from tests.integration.core.support import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Client,
    Image,
    all_rows,
    descriptor,
    digest_of,
    index_of,
    is_pullable,
    kinds,
    push_blobs,
    rows,
)
from tests.interference.gate import Gate
from tests.interference.kinds import Drop, Hold, Interference, Postpone, Refuse, SeenCall

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"


FOREIGN_LAYER = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"


async def test_a_manifest_over_4_mib_is_413(client: Client, repository: str) -> None:
    content = b" " * (4 * 1024 * 1024 + 1)
    answer = await client.put_manifest(repository, "big", content)
    assert answer.status_code == 413


async def test_the_rows_of_an_image_are_those_of_the_protocol(
    client: Client, repository: str
) -> None:
    image = await client.push_image(repository, "v1", subject=Image.make().descriptor)
    stored = await rows(client, repository)
    assert await kinds(client, repository) == ["M", "T", "g", "h", "hd", "hu", "hw", "m", "s", "t"]
    manifest = stored[f"m:{image.digest}"]
    assert manifest.text("Os") == "linux"
    assert manifest.text("Architecture") == "amd64"
    assert manifest.number("ImageSize") == sum(map(len, image.blobs))
    assert stored["t:v1"].text("Digest") == image.digest
    assert stored["t:v1"].text("Stamp") == manifest.text("Stamp") == stored["h"].text("Stamp")


@pytest.mark.rule("P3")
async def test_moving_a_tag_leaves_one_row_of_each_kind_for_it(
    client: Client, repository: str
) -> None:
    first = await client.push_image(repository, "v1")
    second = await client.push_image(repository, "v1")
    stored = await rows(client, repository)
    assert stored["t:v1"].text("Digest") == second.digest
    assert stored["t:v1"].text("Created") < stored["t:v1"].text("Updated")
    assert [key for key in stored if key.startswith("g:")] == [f"g:{second.digest}:v1"]
    assert len([key for key in stored if key.startswith("T:")]) == 1
    assert len([key for key in stored if key.startswith("M:")]) == 2
    assert stored[f"m:{first.digest}"].text("Untagged")


async def test_pushing_the_same_image_again_changes_nothing_but_times(
    client: Client, repository: str
) -> None:
    image = await client.push_image(repository, "v1")
    before = await kinds(client, repository)
    answer = await client.put_manifest(repository, "v1", image.manifest)
    assert answer.status_code == 201
    assert await kinds(client, repository) == before


async def test_several_tags_are_set_at_once_all_or_none(client: Client, repository: str) -> None:
    image = await client.push_image(repository, "")
    query = "&".join(f"tag=t{number}" for number in range(10))
    answer = await client.put_manifest(repository, f"{image.digest}?{query}", image.manifest)
    assert answer.status_code == 201
    assert answer.headers.get_list("oci-tag") == [f"t{number}" for number in range(10)]
    bad = await client.put_manifest(repository, f"{image.digest}?tag=new&tag=-bad", image.manifest)
    assert (bad.status_code, bad.json()["errors"][0]["code"]) == (400, "TAG_INVALID")
    many = "&".join(f"tag=m{number}" for number in range(1000))
    refused = await client.put_manifest(repository, f"{image.digest}?{many}", image.manifest)
    assert refused.status_code == 414
    listed = (await client.send("GET", f"/v2/{repository}/tags/list")).json()["tags"]
    assert listed == [f"t{number}" for number in range(10)]


async def test_a_manifest_under_a_digest_not_its_own_is_not_stored(
    client: Client, repository: str
) -> None:
    image = await client.push_image(repository)
    wrong = digest_of(b"something else")
    answer = await client.put_manifest(repository, wrong, image.manifest)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "DIGEST_INVALID")
    for reference in (wrong,):
        missing = await client.send("GET", f"/v2/{repository}/manifests/{reference}")
        assert missing.status_code == 404


@pytest.mark.rule("P1")
async def test_a_manifest_whose_blobs_are_missing_is_refused_and_names_one(
    client: Client, repository: str
) -> None:
    image = Image.make()
    await client.push_blob(f"{repository}/elsewhere", image.layer)
    await client.push_blob(repository, image.config)
    answer = await client.put_manifest(repository, "v1", image.manifest)
    assert answer.status_code == 400
    error = answer.json()["errors"][0]
    assert error["code"] == "MANIFEST_BLOB_UNKNOWN"
    assert error["detail"]["digest"] == digest_of(image.layer)
    assert (await client.send("GET", f"/v2/{repository}/manifests/v1")).status_code == 404


@pytest.mark.rule("P1", "P2")
async def test_foreign_layers_need_not_be_pushed_and_the_image_keeps_its_os_version(
    client: Client, repository: str
) -> None:
    config = json.dumps(
        {"os": "windows", "architecture": "amd64", "os.version": "10.0.20348.1"}
    ).encode()
    foreign = descriptor(FOREIGN_LAYER, secrets.token_bytes(64))
    foreign["urls"] = ["https://example.com/base"]
    own = secrets.token_bytes(64)
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST,
            "config": descriptor("application/vnd.docker.container.image.v1+json", config),
            "layers": [
                foreign,
                descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip", own),
            ],
        }
    ).encode()
    for blob in (config, own):
        await client.push_blob(repository, blob)
    answer = await client.put_manifest(repository, "win", manifest, DOCKER_MANIFEST)
    assert answer.status_code == 201
    row = (await rows(client, repository))[f"m:{digest_of(manifest)}"]
    assert (row.text("Os"), row.text("OsVersion")) == ("windows", "10.0.20348.1")
    answer = await client.send("GET", f"/v2/{repository}/manifests/win")
    assert answer.content == manifest


@pytest.mark.parametrize("media_type", [OCI_INDEX, DOCKER_LIST])
async def test_an_index_is_stored_and_its_children_know_it(
    client: Client, repository: str, media_type: str
) -> None:
    images = [await client.push_image(repository, "") for _ in range(2)]
    content = index_of([image.descriptor for image in images], mediaType=media_type)
    answer = await client.put_manifest(repository, "multi", content, media_type)
    assert answer.status_code == 201
    parents = [key for key in await rows(client, repository) if key.startswith("c:")]
    assert sorted(parents) == sorted(f"c:{image.digest}:{digest_of(content)}" for image in images)
    answer = await client.send("GET", f"/v2/{repository}/manifests/multi")
    assert (answer.content, answer.headers["content-type"]) == (content, media_type)
    await client.send("DELETE", f"/v2/{repository}/manifests/{digest_of(content)}")
    assert "c" not in await kinds(client, repository)


async def test_a_tag_can_move_from_a_manifest_to_the_index_that_holds_it(
    client: Client, repository: str
) -> None:
    image = await client.push_image(repository, "v1")
    content = index_of([image.descriptor])
    answer = await client.put_manifest(repository, "v1", content, OCI_INDEX)
    assert answer.status_code == 201


@pytest.mark.rule("P5")
async def test_an_index_of_500_children_of_which_some_do_not_exist_is_stored_and_deleted(
    client: Client, repository: str
) -> None:
    image = await client.push_image(repository, "")
    ghosts = [descriptor(OCI_MANIFEST, f"{number}".encode()) for number in range(499)]
    content = index_of([image.descriptor, *ghosts])
    answer = await client.put_manifest(repository, "huge", content, OCI_INDEX)
    assert answer.status_code == 201
    assert len([k for k in await kinds(client, repository) if k == "c"]) == 500
    url = f"/v2/{repository}/manifests/{digest_of(content)}"
    assert (await client.send("DELETE", url)).status_code == 202
    assert "c" not in await kinds(client, repository)


async def test_a_manifest_of_127_layers_with_one_twice_is_stored(
    client: Client, repository: str
) -> None:
    layers = [secrets.token_bytes(16) for _ in range(126)]
    config = b'{"os":"linux","architecture":"arm64"}'
    for blob in (config, *layers):
        await client.commit(await client.begin(repository), digest_of(blob), blob)
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor(OCI_CONFIG, config),
            "layers": [descriptor(OCI_LAYER, layer) for layer in [*layers, layers[0]]],
        }
    ).encode()
    assert (await client.put_manifest(repository, "v1", manifest)).status_code == 201


async def test_pushes_of_one_tag_at_once_all_succeed_and_the_rows_agree(
    client: Client, other: Client, repository: str
) -> None:
    images = [Image.make() for _ in range(6)]
    for image in images:
        for blob in image.blobs:
            await client.push_blob(repository, blob)
    answers = await asyncio.gather(
        *(
            instance.put_manifest(repository, "race", image.manifest)
            for instance, image in zip((client, other) * 3, images, strict=True)
        )
    )
    assert {answer.status_code for answer in answers} == {201}
    stored = await rows(client, repository)
    winner = stored["t:race"].text("Digest")
    assert [key for key in stored if key.startswith("g:")] == [f"g:{winner}:race"]
    assert len([key for key in stored if key.startswith("T:")]) == 1


async def test_a_push_and_a_deletion_at_once_leave_the_image_whole_or_gone(
    client: Client, other: Client, repository: str
) -> None:
    await client.push_image(f"{repository}/keep", "keep")
    image = await client.push_image(repository, "v0")
    for attempt in range(8):
        pushed, deleted = await asyncio.gather(
            client.put_manifest(repository, f"v{attempt}", image.manifest),
            other.send("DELETE", f"/v2/{repository}/manifests/{image.digest}"),
        )
        assert pushed.status_code == 201
        assert deleted.status_code in (202, 404)
        stored = await rows(client, repository)
        there = f"m:{image.digest}" in stored
        tags = [key for key in stored if key.startswith("t:")]
        assert bool(tags) == there
        assert [key in stored for key in ("h", "hd", "hu", "hw")] == [there] * 4
        if not there:
            assert stored == {}
            await client.put_manifest(repository, f"v{attempt}", image.manifest)


@pytest.mark.rule("P8", "F1", "F5")
@pytest.mark.parametrize("fault", [Drop(), Refuse()], ids=["answer-lost", "never-sent"])
@pytest.mark.parametrize("operation", ["push", "retag", "untag", "delete"])
async def test_one_lost_call_anywhere_leaves_no_half_of_a_manifest(
    client: Client, other: Client, repository: str, operation: str, fault: Interference
) -> None:
    for number in range(1, 40):
        name = f"{repository}/n{number}"
        image = Image.make()
        for blob in image.blobs:
            await client.push_blob(name, blob)
        if operation != "push":
            assert (await client.put_manifest(name, "v1", image.manifest)).status_code == 201
        client.hook.plan_nth(number, fault)
        if operation in ("push", "retag"):
            tag = "v1" if operation == "push" else "v2"
            answer = await client.put_manifest(name, tag, image.manifest)
        else:
            reference = "v1" if operation == "untag" else image.digest
            answer = await client.send("DELETE", f"/v2/{name}/manifests/{reference}")
        client.hook.plan = None
        assert answer.status_code in (201, 202, 503), answer.text
        stored = await rows(other, name)
        manifest_there = f"m:{image.digest}" in stored
        for key, row in stored.items():
            if key.startswith("t:"):
                assert manifest_there
                assert f"g:{row.text('Digest')}:{key[2:]}" in stored
        assert ("h" in stored) == ("hw" in stored) == manifest_there
        if answer.status_code == 201:
            assert "t:v1" in stored
        if answer.status_code == 202:
            assert ("t:v1" in stored) is False
        if client.trace.count < number:
            return  # The operation has fewer calls than this.
    raise AssertionError("an operation of 40 calls")


@pytest.mark.parametrize(
    ("document", "media_type"),
    [
        ({"schemaVersion": 2, "manifests": [], "layers": [{}]}, OCI_INDEX),
        ({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}, OCI_MANIFEST),
        ({"schemaVersion": 1, "config": {}, "layers": []}, OCI_MANIFEST),
        ([], OCI_MANIFEST),
    ],
)
async def test_a_manifest_that_contradicts_itself_or_its_type_is_refused(
    client: Client, repository: str, document: Any, media_type: str
) -> None:
    content = json.dumps(document).encode()
    answer = await client.put_manifest(repository, "v1", content, media_type)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "MANIFEST_INVALID")


@pytest.mark.rule("P4")
async def test_a_push_under_way_does_not_lose_its_blobs_to_another_life_of_the_manifest(
    client: Client, other: Client, repository: str
) -> None:
    """P protects; Q pushes the same manifest, deletes it and its blobs; P inserts `m:` (201)."""
    await client.push_image(repository, "keep")
    image = Image.make()
    await push_blobs(client, repository, image)
    gate = Gate(client.hook, lambda call: call.method == "POST" and call.depth == 3)
    push = asyncio.create_task(client.put_manifest(repository, "v1", image.manifest))
    await gate.reached.wait()
    assert (await other.put_manifest(repository, "v1", image.manifest)).status_code == 201
    url = f"/v2/{repository}/manifests/{image.digest}"
    assert (await other.send("DELETE", url)).status_code == 202
    deleted = [
        (await other.send("DELETE", f"/v2/{repository}/blobs/{digest_of(blob)}")).status_code
        for blob in image.blobs
    ]
    gate.open()
    answer = await push
    assert answer.status_code in (201, 400)
    if answer.status_code == 201:
        assert await is_pullable(other, repository, image), f"blob deletions: {deleted}"


@pytest.mark.rule("P4")
async def test_a_push_applied_late_does_not_bring_a_deleted_manifest_back(
    client: Client, other: Client, repository: str
) -> None:
    """The first try times out and is applied by storage after push, delete, blob delete."""
    await client.push_image(repository, "keep")
    image = Image.make()
    await push_blobs(client, repository, image)
    late = Postpone()
    first = True

    def plan(call: SeenCall) -> Interference | None:
        nonlocal first
        if first and any(operation.first == "t:v1" for operation in call.operations[1:]):
            first = False
            return late
        return None

    client.hook.plan = plan
    assert (await client.put_manifest(repository, "v1", image.manifest)).status_code == 201
    url = f"/v2/{repository}/manifests/{image.digest}"
    assert (await other.send("DELETE", url)).status_code == 202
    for blob in image.blobs:
        gone = await other.send("DELETE", f"/v2/{repository}/blobs/{digest_of(blob)}")
        assert gone.status_code == 202
    assert await late.deliver() == 202  # The batch; what it says of its parts is a refusal.
    assert "t:v1" not in await rows(other, repository)


@pytest.mark.rule("P2")
async def test_a_large_manifest_whose_blob_is_deleted_before_it_is_protected_is_still_protected(
    client: Client, other: Client, repository: str
) -> None:
    """In between it is a blob that nothing needs."""
    await client.push_image(repository, "keep")
    image = Image.make(annotations={"fill": "x" * 600_000})
    await push_blobs(client, repository, image)
    need = blob_rows.requirement(RepositoryName(repository), Digest.parse(image.digest))

    def protects_itself(call: SeenCall) -> bool:
        return any((each.partition, each.first) == (image.digest, need) for each in call.operations)

    gate = Gate(client.hook, protects_itself)
    push = asyncio.create_task(client.put_manifest(repository, "v1", image.manifest))
    await gate.reached.wait()
    deleted = await other.send("DELETE", f"/v2/{repository}/blobs/{image.digest}")
    assert deleted.status_code == 202
    gate.open()
    answer = await push
    stored = await all_rows(other, blob_rows.TABLE, image.digest)
    if answer.status_code == 201:
        name = RepositoryName(repository)
        assert blob_rows.link(name) in stored, "GC may delete the bytes of an acknowledged manifest"
        assert blob_rows.requirement(name, Digest.parse(image.digest)) in stored


@pytest.mark.rule("P8")
async def test_one_manifest_pushed_under_many_tags_at_once_is_stored_under_all(
    client: Client, other: Client, repository: str
) -> None:
    """All of them write the manifest's row: about one wins a round."""
    image = await client.push_image(repository, "t")
    answers = await asyncio.gather(
        *(
            instance.put_manifest(repository, f"t{number}", image.manifest)
            for number, instance in enumerate((client, other) * 15)
        )
    )
    codes = [answer.status_code for answer in answers]
    assert set(codes) == {201}, {code: codes.count(code) for code in codes}


@pytest.mark.rule("P8")
async def test_a_push_that_has_run_too_long_gives_up_before_its_transaction(
    client: Client, repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Garbage collection counts on it: what a push protected is old by then."""
    image = Image.make()
    await push_blobs(client, repository, image)
    began = time.monotonic()
    gate = Gate(client.hook, lambda call: call.method == "GET" and call.depth == 2)
    push = asyncio.create_task(client.put_manifest(repository, "v1", image.manifest))
    await gate.reached.wait()
    late = began + CHANGE_DEADLINE.total_seconds() + 60
    monkeypatch.setattr(time, "monotonic", lambda: late)
    gate.open()
    answer = await push
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert await rows(client, repository) == {}


async def test_a_push_with_a_subject_says_so(client: Client, repository: str) -> None:
    subject = Image.make()
    image = Image.make(subject=subject.descriptor)
    for blob in image.blobs:
        await client.push_blob(repository, blob)
    answer = await client.put_manifest(repository, "v1", image.manifest)
    assert (answer.status_code, answer.headers["oci-subject"]) == (201, subject.digest)


@pytest.mark.rule("P7")
async def test_a_push_that_is_refused_while_it_enters_its_repository_takes_the_entry_back(
    client: Client, other: Client, repository: str
) -> None:
    """A layer is deleted just before it is protected; the entry is written, its answer unseen."""
    image = Image.make()
    await push_blobs(client, repository, image)
    layer, entered, refused = digest_of(image.layer), asyncio.Event(), asyncio.Event()

    async def unseen() -> None:
        entered.set()
        await refused.wait()

    async def delete_layer() -> None:
        await entered.wait()
        answer = await other.send("DELETE", f"/v2/{repository}/blobs/{layer}")
        assert answer.status_code == 202

    protects: list[SeenCall] = []

    def plan(call: SeenCall) -> Interference | None:
        written = [each for each in call.operations if not each.is_read]
        if any(each.resource == "catalog" for each in written) and not entered.is_set():
            return Hold(after_gate=unseen)
        if any(each.resource == "blobs" and layer in str(each) for each in written):
            protects.append(call)
            return Hold(before_gate=delete_layer) if len(protects) == 1 else None
        return None

    client.hook.plan = plan
    answer = await client.put_manifest(repository, "latest", image.manifest)
    assert answer.status_code == 400
    assert entered.is_set()
    listed = (await client.send("GET", "/v2/_catalog?n=1000")).json()["repositories"]
    assert repository not in listed
