"""Programs that call the API, each with a token that a named person made."""

import json
from collections.abc import Callable, Iterable
from typing import Any
from uuid import uuid4

import pytest
from django.http import HttpResponse
from django.test import Client

from portal.foundation.access.models import User
from portal.foundation.tenancy.models import Tenant
from tests import world


class Program:
    """A client of the API with one token; every POST brings a key of its own unless one is named."""

    def __init__(self, tenant: str, secret: str) -> None:
        self.tenant, self.secret = tenant, secret
        self.client = Client(raise_request_exception=False)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> HttpResponse:
        if method == "POST":
            headers.setdefault("Idempotency-Key", str(uuid4()))
        if self.secret:
            headers.setdefault("Authorization", f"Bearer {self.secret}")
        address = path if path.startswith("/api/") else f"/api/v1/t/{self.tenant}/{path}"
        content = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        return self.client.generic(method, address, headers=headers, **content)

    def get(self, path: str, **headers: str) -> Any:
        """What is read at *path*; fails the test for any other answer than 200."""
        return self._good(self.call("GET", path, **headers))

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self._good(self.call("POST", path, {} if body is None else body, **headers))

    def put(self, path: str, body: Any, **headers: str) -> Any:
        return self._good(self.call("PUT", path, body, **headers))

    @staticmethod
    def _good(response: HttpResponse) -> Any:
        assert response.status_code in {200, 201, 202}, (response.status_code, response.content)
        return response.json()


def token_of(person: User, tenant: Tenant, scopes: Iterable[str] = (), *, days: int = 30) -> str:
    """The secret of a new token; with every scope that the person can use unless some are named."""
    _row, secret = world.token_of(person, tenant, *scopes, days=days, name="a test")
    return secret


@pytest.fixture
def program(acme) -> Callable[..., Program]:
    """Return what makes a program of acme's: `program(petra)`, or with scopes."""

    def make(person: User, *scopes: str, tenant: Tenant = acme) -> Program:
        return Program(tenant.slug, token_of(person, tenant, scopes))

    return make
