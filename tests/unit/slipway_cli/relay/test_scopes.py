import pytest

from slipway_cli.relay import scopes


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/v2/team/web/manifests/v1", "repository:team/web:pull"),
        ("HEAD", "/v2/team/web/blobs/sha256:00", "repository:team/web:pull"),
        ("PUT", "/v2/team/web/manifests/v1", "repository:team/web:pull,push"),
        ("DELETE", "/v2/web/manifests/sha256:00", "repository:web:delete"),
        ("GET", "/v2/blobs/tags/list", "repository:blobs:pull"),
        ("GET", "/v2/a/blobs/b/manifests/v1", "repository:a/blobs/b:pull"),
        ("GET", "/v2/web/referrers/sha256:00", "repository:web:pull"),
        ("GET", "/v2/_catalog", "registry:catalog:*"),
        ("GET", "/acr/v1/_catalog", "registry:catalog:*"),
        ("GET", "/acr/v1/_deleted/_catalog", "registry:deleted_catalog:*"),
        ("GET", "/acr/v1/team/web", "repository:team/web:metadata_read"),
        ("GET", "/acr/v1/team/web/_tags", "repository:team/web:metadata_read"),
        ("PATCH", "/acr/v1/team/web/_tags/v1", "repository:team/web:metadata_write"),
        ("DELETE", "/acr/v1/team/web/_manifests/sha256:00", "repository:team/web:delete"),
        ("GET", "/v2/", "None"),
    ],
)
def test_a_request_needs_a_token_for_what_its_path_names(
    method: str, path: str, scope: str
) -> None:
    assert str(scopes.needed(method, path)) == scope


def test_a_mount_needs_to_pull_from_its_source_as_well() -> None:
    scope = scopes.pushing("team/web", "team/base")
    assert str(scope) == "repository:team/web:pull,push repository:team/base:pull"
    assert (scope.name, scope.actions) == ("team/web", ("pull", "push"))
    assert scopes.pushing("team/web", "team/web") == scopes.pushing("team/web")


def test_a_registry_that_names_what_it_wants_is_given_that() -> None:
    wanted = "repository:a:pull,push repository:b:pull"
    challenge = (
        f'Bearer realm="https://r/t",service="r",scope="{wanted}",error="insufficient_scope"'
    )
    assert str(scopes.challenged(challenge)) == wanted


@pytest.mark.parametrize(
    "challenge",
    [
        "",
        'Bearer realm="x",service="r",error="insufficient_scope"',
        'Bearer realm="x",scope="repository:a:pull",error="invalid_token"',
    ],
)
def test_a_challenge_that_wants_no_other_scope_leads_to_none(challenge: str) -> None:
    assert scopes.challenged(challenge) is None
