"""What retention takes of a repository, decided without storage and held against a plain oracle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.lifecycle.retention.brake import FLOOR, allowed, stopping
from registry_core.lifecycle.retention.contents import COLUMNS, Contents, Held
from registry_core.lifecycle.retention.decide import MOST_TAGS, Decision, Kept, Why, decide
from registry_core.lifecycle.retention.policy import Rule, Tags
from registry_core.model.attributes import Attributes
from registry_core.model.digest import Digest
from registry_core.model.glob import Glob
from registry_core.model.media_types import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from registry_core.model.names import RepositoryName, Tag
from registry_core.repositories import rows
from registry_core.repositories.rows import StoredManifest, StoredTag
from registry_core.storage import tables
from registry_core.storage.tables import Row

NOW = datetime(2026, 11, 28, tzinfo=UTC)
NAME = RepositoryName("team/web")
GRACE = timedelta(days=1)
LOCKED = Attributes(delete_enabled=False)
READ_ONLY = Attributes(write_enabled=False)
OPEN = Attributes()
DAYS = 0, 1, 5, 10, 30


def digest(number: int) -> Digest:
    return Digest.of(b"%d" % number)


@dataclass(frozen=True)
class Shape:
    """A manifest of a small repository; it holds only those of greater numbers."""

    untagged: int = 30
    """Days since it has no tag."""
    touched: int = 30
    lock: Attributes = OPEN
    children: tuple[int, ...] = ()
    subject: int | None = None
    state: str = "live"


@dataclass(frozen=True)
class World:
    """A small repository."""

    shapes: Sequence[Shape]
    tags: Sequence[tuple[int, int, Attributes]] = field(default=())
    """Each of a manifest, with days since it was updated, and its lock."""

    @cached_property
    def contents(self) -> Contents:
        live = [n for n, shape in enumerate(self.shapes) if shape.state == "live"]
        return Contents(
            NAME,
            None,
            [
                Held(stored(n, self.shapes[n]), NOW - timedelta(days=self.shapes[n].untagged))
                for n in live
            ],
            [stored_tag(number, *tag) for number, tag in enumerate(self.tags)],
            frozenset(digest(n) for n, s in enumerate(self.shapes) if s.state == "restorable"),
            children={
                digest(n): [digest(child) for child in shape.children]
                for n, shape in enumerate(self.shapes)
                if shape.state != "gone"
            },
        )


def stored(number: int, shape: Shape) -> StoredManifest:
    pushed = NOW - timedelta(days=100)
    return StoredManifest(
        digest(number),
        OCI_INDEX if shape.children else OCI_MANIFEST,
        100,
        None if shape.subject is None else digest(shape.subject),
        pushed,
        shape.lock,
        NOW - timedelta(days=shape.touched),
        None,
        None,
        b"",
        "",
        f"version of {number}",
    )


def stored_tag(number: int, of: int, days: int, lock: Attributes) -> StoredTag:
    updated = NOW - timedelta(days=days, microseconds=number)
    return StoredTag(
        Tag(f"t{number}"), digest(of), OCI_MANIFEST, 100, updated, updated, lock, "", "v"
    )


def rule(name: str = "r", tags: Tags | None = None, untagged: int | None = None) -> Rule:
    age = None if untagged is None else timedelta(days=untagged)
    return Rule(name, (Glob("**"),), tags, age, every_repository=True)


# The oracle: as the page says it, without a thought of what it costs.


def tag_goes(world: World, number: int, rules: Sequence[Rule]) -> bool:
    _, days, lock = world.tags[number]
    if lock in (LOCKED, READ_ONLY):
        return False
    for each in rules:
        tags = each.tags
        if tags is None or not tags.concerns(f"t{number}"):
            continue
        ages = [(d, n) for n, (_, d, _) in enumerate(world.tags) if tags.concerns(f"t{n}")]
        newer = [other for other in ages if other < (days, number)]
        is_old = tags.older_than is None or timedelta(days=days) >= tags.older_than
        if len(newer) >= tags.keep_last and is_old:
            return True
    return False


def holders(world: World, number: int) -> Iterator[int]:
    for other, shape in enumerate(world.shapes):
        is_held = number in shape.children or world.shapes[number].subject == other
        if is_held and shape.state != "gone":
            yield other


def manifest_goes(world: World, number: int, rules: Sequence[Rule]) -> bool:
    shape = world.shapes[number]
    tags = [n for n, (of, _, _) in enumerate(world.tags) if of == number]
    ages = [each.untagged for each in rules if each.untagged is not None]
    since = timedelta(0) if tags else timedelta(days=shape.untagged)
    held = list(holders(world, number))
    return (
        shape.state == "live"
        and shape.lock not in (LOCKED, READ_ONLY)
        and timedelta(days=shape.touched) >= GRACE
        and all(tag_goes(world, tag, rules) for tag in tags)
        and all(manifest_goes(world, each, rules) for each in held)
        and (bool(held) or any(since >= age for age in ages))
    )


LOCKS = st.sampled_from([OPEN, OPEN, OPEN, LOCKED, READ_ONLY])


@st.composite
def worlds(draw: st.DrawFn) -> World:
    count = draw(st.integers(1, 6))
    shapes = []
    for number in range(count):
        greater = st.integers(number + 1, count - 1) if number + 1 < count else st.nothing()
        less = st.integers(0, number - 1) if number else st.nothing()
        shapes.append(
            Shape(
                draw(st.sampled_from(DAYS)),
                draw(st.sampled_from([30, 30, 30, 0])),
                draw(LOCKS),
                tuple(draw(st.lists(greater, max_size=2))) if number + 1 < count else (),
                draw(st.none() | less) if number else None,
                draw(st.sampled_from(["live", "live", "live", "restorable", "gone"])),
            )
        )
    live = [n for n, shape in enumerate(shapes) if shape.state == "live"]
    tag = st.tuples(st.sampled_from(live), st.sampled_from(DAYS), LOCKS) if live else st.nothing()
    return World(shapes, draw(st.lists(tag, max_size=4)) if live else ())


GLOBS = st.sampled_from(["*", "t[0-1]", "t1", "t[!2]"]).map(lambda text: (Glob(text),))
TAGS = st.builds(
    Tags,
    GLOBS,
    st.just(()) | GLOBS,
    st.integers(0, 2),
    st.none() | st.sampled_from(DAYS).map(lambda days: timedelta(days=days)),
)
RULES = st.lists(
    st.builds(rule, st.sampled_from("ab"), st.none() | TAGS, st.none() | st.sampled_from(DAYS)),
    min_size=1,
    max_size=2,
)


@pytest.mark.rule("K1", "K2", "K3", "K4")
@given(worlds(), RULES)
def test_what_goes_is_what_the_oracle_says(world: World, rules: list[Rule]) -> None:
    made = decide(rules, world.contents, NOW, GRACE)
    wanted = {digest(n) for n in range(len(world.shapes)) if manifest_goes(world, n, rules)}
    if all(each.untagged is None for each in rules):
        wanted = set()
    assert {each.digest for each in made.manifests} == wanted
    along = {str(tag.tag) for each in made.manifests for tag in each.doomed.tags}
    alone = {str(each.tag.tag) for each in made.tags}
    going = {f"t{n}" for n in range(len(world.tags)) if tag_goes(world, n, rules)}
    assert along | alone == going
    assert not along & alone


@pytest.mark.rule("K3")
@given(worlds(), RULES)
def test_nothing_goes_before_what_holds_it_and_nothing_that_stays_is_let_down(
    world: World, rules: list[Rule]
) -> None:
    made = decide(rules, world.contents, NOW, GRACE)
    levels = {each.digest: each.level for each in made.manifests}
    for number in range(len(world.shapes)):
        for holder in holders(world, number):
            if digest(number) in levels:
                assert levels[digest(holder)] < levels[digest(number)]
    assert [each.level for each in made.manifests] == sorted(levels.values())


@pytest.mark.rule("K2")
@given(worlds(), RULES)
def test_each_live_manifest_goes_or_stays_for_a_reason_where_a_rule_is_about_it(
    world: World, rules: list[Rule]
) -> None:
    made = decide(rules, world.contents, NOW, GRACE)
    if any(each.untagged is not None for each in rules):
        live = {digest(n) for n, shape in enumerate(world.shapes) if shape.state == "live"}
        staying = {each.what for each in made.staying if isinstance(each.what, Digest)}
        assert {each.digest for each in made.manifests} | staying == live
        assert not {each.digest for each in made.manifests} & staying


def why(made: Decision) -> dict[str, str]:
    """What goes and what stays, by name, each with the reason."""
    names = {digest(number): str(number) for number in range(10)}
    return {
        **{names.get(s.what, str(s.what)): s.why.value for s in made.staying},  # type: ignore[arg-type]
        **{names[each.digest]: each.why.value for each in made.manifests},
        **{str(each.tag.tag): Why.TAG.value for each in made.tags},
    }


@pytest.mark.parametrize(
    ("world", "expected"),
    [
        (World([Shape()]), {"0": Why.UNTAGGED}),
        (World([Shape(untagged=5)]), {"0": Kept.YOUNG}),
        (World([Shape(touched=0)]), {"0": Kept.TOUCHED}),
        (World([Shape(lock=LOCKED)]), {"0": Kept.LOCKED}),
        (World([Shape(lock=READ_ONLY)]), {"0": Kept.LOCKED}),
        (World([Shape()], [(0, 30, OPEN)]), {"0": Kept.TAGGED}),
        (World([Shape(children=(1,)), Shape()]), {"0": Why.UNTAGGED, "1": Why.WITH_INDEX}),
        (World([Shape(children=(1,)), Shape(untagged=0)]), {"1": Why.WITH_INDEX}),
        (World([Shape(children=(1,), untagged=5), Shape()]), {"0": Kept.YOUNG, "1": Kept.CHILD}),
        (World([Shape(children=(1,), state="restorable"), Shape()]), {"1": Kept.CHILD}),
        (World([Shape(children=(1,), state="gone"), Shape()]), {"1": Why.UNTAGGED}),
        (World([Shape(), Shape(subject=0, untagged=0)]), {"1": Why.WITH_SUBJECT}),
        (World([Shape(), Shape(subject=0)], [(0, 30, OPEN)]), {"1": Kept.REFERRER}),
        (World([Shape(state="restorable"), Shape(subject=0)]), {"1": Kept.REFERRER}),
        (World([Shape(state="gone"), Shape(subject=0)]), {"1": Why.UNTAGGED}),
    ],
)
def test_the_reason_is_told(world: World, expected: dict[str, Kept | Why]) -> None:
    told = why(decide([rule(untagged=10)], world.contents, NOW, GRACE))
    assert {name: told[name] for name in expected} == {n: v.value for n, v in expected.items()}


@pytest.mark.rule("K1")
def test_the_last_tags_stay_and_the_others_go_with_their_manifests() -> None:
    world = World([Shape(), Shape(), Shape()], [(0, 1, OPEN), (1, 2, OPEN), (2, 3, LOCKED)])
    made = decide([rule(tags=Tags(keep_last=1), untagged=0)], world.contents, NOW, GRACE)
    assert why(made) == {
        "t0": Kept.LAST.value,
        "0": Kept.TAGGED.value,
        "1": Why.WITHOUT_TAGS.value,
        "t2": Kept.LOCKED.value,
        "2": Kept.TAGGED.value,
    }
    assert made.taken == {"r": (1, 1)}


@pytest.mark.rule("K1")
def test_a_manifest_with_more_tags_than_a_transaction_takes_follows_them_later() -> None:
    many = [(0, 30, OPEN)] * (MOST_TAGS + 1)
    rules = [rule(tags=Tags(older_than=timedelta(days=1)), untagged=0)]
    made = decide(rules, World([Shape()], many).contents, NOW, GRACE)
    assert (len(made.tags), made.manifests) == (len(many), [])
    made = decide(rules, World([Shape()], many[1:]).contents, NOW, GRACE)
    assert (made.tags, len(made.manifests)) == ([], 1)


@pytest.mark.rule("K2")
@pytest.mark.parametrize(
    "media_type", [OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST, "x/y"]
)
def test_the_time_without_a_tag_is_counted_for_manifests_of_every_type(media_type: str) -> None:
    pushed, left = NOW - timedelta(days=20), NOW - timedelta(days=5)
    values = {"MediaType": media_type, "Updated": tables.time_value(pushed), rows.LIVE: True}
    for untagged, stays_for in (("", 20), (tables.time_value(left), 5)):
        row = Row("p", rows.manifest_key(digest(0)), values | {"Untagged": untagged}, "v", pushed)
        found = Contents.of(NAME, [row])
        at_most = decide([rule(untagged=stays_for)], found, NOW, GRACE)
        longer = decide([rule(untagged=stays_for + 1)], found, NOW, GRACE)
        assert (len(at_most.manifests), len(longer.manifests)) == (1, 0)


@pytest.mark.rule("K3")
def test_rows_of_what_has_gone_hold_nothing_and_of_what_can_be_restored_do() -> None:
    key, pushed = rows.manifest_key(digest(0)), NOW - timedelta(days=20)
    updated = {"Updated": tables.time_value(pushed), "MediaType": OCI_INDEX}
    restorable = Row("p", key, updated | {rows.DELETED: tables.time_value(NOW)}, "v", pushed)
    gone = Row("p", key, updated | {rows.GONE: tables.time_value(NOW)}, "v", pushed)
    assert Contents.of(NAME, [restorable]).restorable == {digest(0)}
    assert Contents.of(NAME, [restorable]).indexes == [digest(0)]
    assert Contents.of(NAME, [gone]) == Contents(NAME, None, [], [], indexes=[])
    assert {rows.LIVE, rows.GONE, rows.DELETING, "Untagged", "Updated"} <= set(COLUMNS)


# The brake.


@pytest.mark.rule("K6")
@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(1, 100))
def test_the_brake_stops_what_is_more_than_the_part_that_a_rule_may_take(
    going: int, staying: int, percent: int
) -> None:
    each = Rule("r", (Glob("team/**"),), None, timedelta(days=7), brake=percent)
    made = Decision(taken={"r": (going, 0)})
    shape = stored(0, Shape())
    found = Contents(NAME, None, [Held(shape, NOW)] * (going + staying), [])
    is_stopped = bool(stopping([each], found, made))
    assert is_stopped is (going > FLOOR and 100 * going > percent * (going + staying))
    assert allowed(going + staying, percent) >= FLOOR


@pytest.mark.rule("K6")
def test_the_last_tag_of_a_repository_goes_only_where_a_rule_may_take_all() -> None:
    def stopped(brake: int, there: int) -> str:
        tags = [stored_tag(number, 0, 30, OPEN) for number in range(there)]
        each = Rule("r", (Glob("pr/*"),), Tags(keep_last=1), None, brake=brake)
        return stopping([each], Contents(NAME, None, [], tags), Decision(taken={"r": (0, 1)}))

    assert stopped(10, 2) == ""
    assert "every tag" in stopped(10, 1)
    assert stopped(100, 1) == ""
