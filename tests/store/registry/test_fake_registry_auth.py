"""The tests' registry with credentials: passwords, and tokens that are good for what they say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from support.registry import (
    Answer,
    Basic,
    Bearer,
    Endpoint,
    FakeRegistry,
    Fault,
    RevokeTokens,
    first,
    nth,
)
from support.registry.client import BLOB, DIGEST, Client

USER = ("me", "secret")
PUSH = "repository:team/model:pull,push"


@contextmanager
def running(auth: Bearer, *faults: Fault) -> Iterator[tuple[FakeRegistry, Client]]:
    with FakeRegistry(auth=auth, faults=faults) as registry, Client(registry.url) as client:
        registry.add_blob("base/debian", BLOB)
        yield registry, client


def take(client: Client, *scopes: str, user: tuple[str, str] | None = USER) -> httpx.Response:
    """Ask for a token and use it from now on."""
    params = {"service": Bearer.service, "scope": list(scopes)}
    response = client.get("/token", params=params, auth=user)
    if response.is_success:
        client.headers["Authorization"] = f"Bearer {response.json()['token']}"
    return response


def mount(client: Client) -> int:
    return client.start(query=f"?mount={DIGEST}&from=base/debian").status_code


def test_a_password_goes_with_each_request() -> None:
    with FakeRegistry(auth=Basic(*USER)) as registry, Client(registry.url) as client:
        refused = client.get("/v2/")
        assert (refused.status_code, refused.headers["WWW-Authenticate"][:6]) == (401, "Basic ")
        assert client.get("/v2/", auth=("me", "wrong")).status_code == 401
        assert client.get("/token", auth=USER).status_code == 404
        client.auth = httpx.BasicAuth(*USER)
        assert client.upload().status_code == 201
        assert "secret" not in repr(registry.requests)


def test_a_challenge_says_where_a_token_is_and_what_for() -> None:
    with running(Bearer(*USER)) as (registry, client):
        ping, push = client.get("/v2/"), client.start(query=f"?mount={DIGEST}&from=base/debian")
        assert (ping.status_code, push.status_code) == (401, 401)
        realm = f'Bearer realm="{registry.url}/token",service="{Bearer.service}"'
        assert ping.headers["WWW-Authenticate"] == realm
        scope = f'{realm},scope="{PUSH} repository:base/debian:pull"'
        assert push.headers["WWW-Authenticate"] == scope
        client.headers["Authorization"] = "Bearer none"
        assert client.start().status_code == 401


def test_a_token_is_good_for_its_scopes() -> None:
    with running(Bearer(*USER)) as (_, client):
        assert take(client, PUSH).json()["expires_in"] == 300
        assert (client.upload().status_code, mount(client)) == (201, 401)
        assert client.start("other").status_code == 401
        take(client, PUSH, "repository:base/debian:pull")
        assert mount(client) == 201
        assert client.start("base/debian").status_code == 401
        assert client.delete(f"/v2/team/model/blobs/{DIGEST}").status_code == 401
        take(client, "repository:team/model:delete")
        assert client.delete(f"/v2/team/model/blobs/{DIGEST}").status_code == 202


def test_who_gives_no_password_may_pull() -> None:
    with running(Bearer(*USER)) as (_, client):
        take(client, PUSH, user=None)
        assert client.get("/v2/team/model/tags/list").status_code == 404
        assert client.start().status_code == 401
        assert take(client, PUSH, user=("me", "wrong")).status_code == 401
        service = client.get("/token", params={"service": "other"}, auth=USER)
        assert service.status_code == 400


def test_a_token_may_be_for_less_than_was_asked() -> None:
    scopes = (PUSH, "repository:base/debian:pull")
    with running(Bearer(*USER, access={"team/model": {"pull", "push"}})) as (_, client):
        take(client, *scopes)
        assert (client.start().status_code, mount(client)) == (202, 401)
    with running(Bearer(*USER, only_first_scope=True)) as (_, client):
        take(client, *scopes)
        assert (client.start().status_code, mount(client)) == (202, 401)
        take(client, *reversed(scopes))
        assert client.start().status_code == 401


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"grant_type": "refresh_token", "refresh_token": "identity", "client_id": "c"}, 200),
        ({"grant_type": "refresh_token", "refresh_token": "wrong", "client_id": "c"}, 400),
        ({"grant_type": "refresh_token", "refresh_token": "identity"}, 400),
        ({"grant_type": "password", "username": "me", "password": "secret", "client_id": "c"}, 200),
        ({"grant_type": "password", "username": "me", "password": "wrong", "client_id": "c"}, 400),
        ({"grant_type": "other", "client_id": "c"}, 400),
    ],
)
def test_tokens_are_given_as_oauth_does(form: dict[str, str], status: int) -> None:
    with running(Bearer(*USER, identity_token="identity")) as (registry, client):
        form |= {"service": Bearer.service, "scope": f"{PUSH} repository:base/debian:pull"}
        response = client.post("/token", data=form)
        assert response.status_code == status
        assert not re.search("identity|secret", repr(registry.requests))
        if response.is_success:
            client.headers["Authorization"] = f"Bearer {response.json()['access_token']}"
            assert (client.upload().status_code, mount(client)) == (201, 201)


def test_tokens_do_not_live_for_ever() -> None:
    with running(Bearer(*USER, requests=2)) as (_, client):
        take(client, PUSH)
        assert [client.start().status_code for _ in range(3)] == [202, 202, 401]
        take(client, PUSH)
        assert client.start().status_code == 202
    with running(Bearer(*USER, expires_in=0)) as (_, client):
        take(client, PUSH)
        assert client.start().status_code == 401
    with running(Bearer(*USER, expires_in=None)) as (_, client):
        assert "expires_in" not in take(client, PUSH).json()
        assert client.start().status_code == 202


def test_a_token_can_die_in_the_middle_of_an_upload() -> None:
    revoked = Fault(RevokeTokens(), on=Endpoint.UPLOAD_PATCH, times=nth(2))
    with running(Bearer(*USER), revoked) as (_, client):
        take(client, PUSH)
        upload = client.chunk(client.start(), 0, 5000)
        refused = client.chunk(upload, 5000, len(BLOB))
        assert (refused.status_code, "WWW-Authenticate" in refused.headers) == (401, True)
        take(client, PUSH)
        assert client.chunk(upload, 5000, len(BLOB)).status_code == 202
        assert client.finish(upload).status_code == 201


def test_the_token_endpoint_can_fail_and_be_elsewhere() -> None:
    garbage = Fault(Answer(200, body=b"\xff{"), on=Endpoint.TOKEN, times=first(1))
    with running(Bearer(*USER, realm="{elsewhere}/token"), garbage) as (registry, client):
        realm = f"http://{registry.elsewhere}/token"
        assert f'realm="{realm}"' in client.get("/v2/").headers["WWW-Authenticate"]
        params = {"service": Bearer.service}
        answers = [client.get(realm, params=params, auth=USER) for _ in range(2)]
        assert (answers[0].content, answers[1].json().keys()) == (b"\xff{", {"token", "expires_in"})
        assert registry.requests[-1].elsewhere
    with running(Bearer(realm="http://169.254.169.254/token")) as (_, client):
        assert "169.254.169.254" in client.get("/v2/").headers["WWW-Authenticate"]
