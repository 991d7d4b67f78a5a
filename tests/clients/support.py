"""What the tests of the clients share. Import it first: it puts the drivers of requirements.txt in reach.

The server comes from PGHOST, PGPORT, PGUSER (a superuser) and PGDATABASE, where the extension is installed.
"""

import virtual_environment

virtual_environment.enter()

import json
import os
import secrets
import sys
import unittest
import uuid
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.types.json import Jsonb

if not {"PGHOST", "PGPORT", "PGUSER", "PGDATABASE"} <= os.environ.keys():
    sys.exit('no server named by PGHOST, PGPORT, PGUSER and PGDATABASE: run "scripts/test clients"')

ROOT = Path(__file__).resolve().parent.parent.parent

DOMAINS = (
    "codeverify", "tenancy", "auth", "scm", "analysis", "integrations", "attestations", "telemetry", "observability",
    "projects", "experiments_v1", "production", "quarantine", "providers", "audits")

# A real log and the number of results in it.
BANDIT_LOG = ROOT / "tests" / "data" / "sarif" / "bandit-django-4.2.16.sarif"
BANDIT_RESULTS = 290


def bandit_log():
    return json.loads(BANDIT_LOG.read_text())


def new_github_id():
    return secrets.randbelow(2**62) + 1


@dataclass(frozen=True)
class Tenant:
    name: str
    org_id: uuid.UUID
    owner_id: uuid.UUID
    # A user who belongs to no organization.
    guest_id: uuid.UUID
    repo_id: uuid.UUID
    api_key: str
    api_key_id: uuid.UUID


@dataclass(frozen=True)
class World:
    """Two tenants, and logins of the group roles codeverify_tenant and codeverify_service."""

    a: Tenant
    b: Tenant
    tenant_login: str
    service_login: str

    @classmethod
    def create(cls):
        suffix = secrets.token_hex(4)
        world = cls(
            a=_create_tenant(f"a-{suffix}"),
            b=_create_tenant(f"b-{suffix}"),
            tenant_login=f"clients_tenant_{suffix}",
            service_login=f"clients_service_{suffix}")
        with superuser() as connection:
            connection.execute(f"CREATE ROLE {world.tenant_login} LOGIN IN ROLE codeverify_tenant")
            connection.execute(f"CREATE ROLE {world.service_login} LOGIN IN ROLE codeverify_service")
        return world

    def remove(self):
        with superuser() as connection:
            for tenant in (self.a, self.b):
                connection.execute("DELETE FROM tenancy.organizations WHERE id = %s", (tenant.org_id,))
                connection.execute("DELETE FROM auth.users WHERE id IN (%s, %s)", (tenant.owner_id, tenant.guest_id))
            connection.execute(f"DROP ROLE {self.tenant_login}, {self.service_login}")


def superuser():
    """A connection as the superuser of the environment; as a context manager it commits and closes."""
    return psycopg.connect()


def _create_tenant(name):
    with superuser() as connection:
        owner_id, guest_id = (
            _value(
                connection,
                "INSERT INTO auth.users (github_id, username, email) VALUES (%s, %s, %s) RETURNING id",
                new_github_id(), f"{user}-{name}", f"{user}-{name}@example.org")
            for user in ("owner", "guest"))
        org_id = _value(
            connection,
            "SELECT tenancy.create_organization(%s, %s, %s, %s)",
            f"Organization {name}", name, new_github_id(), owner_id)
        repo_id = _value(
            connection,
            "INSERT INTO scm.repositories (org_id, github_id, name, full_name) VALUES (%s, %s, %s, %s) RETURNING id",
            org_id, new_github_id(), "repository", f"{name}/repository")
        api_key_id, api_key = connection.execute(
            "SELECT api_key_id, api_key FROM auth.create_api_key(%s, 'clients', %s)",
            (org_id, Jsonb(["read", "write"]))).fetchone()
        return Tenant(name, org_id, owner_id, guest_id, repo_id, api_key, api_key_id)


def _value(connection, statement, *parameters):
    return connection.execute(statement, parameters).fetchone()[0]


class WorldTest(unittest.TestCase):
    """A test case with two tenants of its own in self.world, which are removed afterwards."""

    @classmethod
    def setUpClass(cls):
        cls.world = World.create()
        cls.addClassCleanup(cls.world.remove)


class AsyncWorldTest(WorldTest, unittest.IsolatedAsyncioTestCase):
    """The same for coroutines."""
