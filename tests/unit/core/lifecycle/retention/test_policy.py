"""Retention policies as documents: what is refused, and that an export can be read again."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.lifecycle.retention.policy import (
    MAX_BYTES,
    MAX_PATTERNS,
    MAX_RULES,
    Policy,
    PolicyError,
    Rule,
    Tags,
    age_text,
    parse_age,
)
from registry_core.model.glob import Glob
from registry_core.model.names import RepositoryName

UNTAGGED = {"untagged": {"olderThan": "7d"}}
GOOD: dict[str, Any] = {"name": "old", "repositories": ["team/**"], **UNTAGGED}


def policy(*rules: Any, **fields: Any) -> bytes:
    return json.dumps({"version": 1, "rules": list(rules), **fields}).encode()


@pytest.mark.rule("K7")
@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({**GOOD, "repositories": ["**"]}, "match every repository"),
        ({**GOOD, "repositories": ["*", "*/**"]}, "match every repository"),
        ({**GOOD, "repositories": ["[a-m]**", "[!a-m]**"]}, "match every repository"),
        ({**GOOD, "tags": {}}, "every tag, the newest too"),
        ({**GOOD, "tags": {"match": ["pr-*"]}}, "every such tag, the newest too"),
        ({**GOOD, "tags": {"olderThan": "0d"}}, "older than 1 hour"),
        ({**GOOD, "tags": {"keepLast": -1}}, "keepLast is a number"),
        ({**GOOD, "tags": {"keepLast": True}}, "use a whole number"),
        ({**GOOD, "tags": {"keeplast": 3}}, "has no field keeplast"),
        ({**GOOD, "tags": {"match": [], "keepLast": 1}}, "list of patterns is empty"),
        ({**GOOD, "tags": {"match": "v*", "keepLast": 1}}, "use a list"),
        ({**GOOD, "repositories": []}, "list of patterns is empty"),
        ({**GOOD, "repositories": ["team/(a|b)"]}, "is in no name"),
        ({**GOOD, "repositories": ["a"] * (MAX_PATTERNS + 1)}, "at most 20 patterns"),
        ({**GOOD, "untagged": {"olderThan": "7"}}, "is no age"),
        ({**GOOD, "untagged": {}}, "say olderThan"),
        ({**GOOD, "untagged": "7d"}, "is no JSON object"),
        ({**GOOD, "untagged": {"olderThan": "99999d"}}, "0 hours to 3650 days"),
        ({**GOOD, "brake": 0}, "from 1 to 100"),
        ({**GOOD, "name": "No Name"}, "no name of a rule"),
        ({**GOOD, "everyRepository": 1}, "true or false"),
        ({**GOOD, "locked": True}, "has no field locked"),
        ({"name": "old", "repositories": ["a"]}, "it takes nothing"),
        ("old", "is no JSON object"),
    ],
)
def test_a_rule_that_nobody_can_mean_is_refused_and_told_why(rule: Any, said: str) -> None:
    with pytest.raises(PolicyError, match=said):
        Policy.parse(policy(rule))


@pytest.mark.rule("K7")
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "no JSON object"),
        (b"{}", "not of version 1"),
        (policy(GOOD, GOOD), "two rules have the name old"),
        (policy(GOOD, more=1), "has no field more"),
        (policy(*({**GOOD, "name": f"r{n}"} for n in range(MAX_RULES + 1))), "at most 100 rules"),
        (b" " * (MAX_BYTES + 1), "at most"),
    ],
)
def test_a_document_that_is_no_policy_is_refused_and_told_why(content: bytes, said: str) -> None:
    with pytest.raises(PolicyError, match=said):
        Policy.parse(content)


def test_every_repository_is_taken_where_that_is_said() -> None:
    (rule,) = Policy.parse(policy({**GOOD, "repositories": ["**"], "everyRepository": True})).rules
    assert rule.applies(RepositoryName("any/thing/at-all"))
    assert rule.brake == 10


GLOBS = st.sampled_from(["v*", "team/**", "[0-9]?", "latest"]).map(Glob)
AGES = st.integers(1, 5000).map(lambda hours: timedelta(hours=hours))
TAGS = st.builds(
    Tags,
    st.lists(GLOBS, min_size=1, max_size=3).map(tuple),
    st.lists(GLOBS, max_size=3).map(tuple),
    st.integers(1, 100),
    st.none() | AGES,
)
RULES = st.builds(
    Rule,
    st.just("rule"),
    st.lists(GLOBS, min_size=1, max_size=3).map(tuple),
    st.none() | TAGS,
    AGES,
    st.booleans(),
    st.integers(1, 100),
)


@given(RULES)
def test_an_exported_policy_is_read_as_it_was(rule: Rule) -> None:
    whole = Policy((rule,))
    assert Policy.parse(json.dumps(whole.document()).encode()) == whole


@given(AGES)
def test_an_age_is_read_as_it_is_written(age: timedelta) -> None:
    assert parse_age(age_text(age)) == age
