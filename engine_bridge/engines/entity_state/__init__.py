"""Entity-is-state: the status column of a domain row is the state of its workflow."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from engine_bridge.bridge import Bridge, ConnectField, ConnectForm, Engine

if TYPE_CHECKING:
    from engine_bridge.actions.model import Actor
    from engine_bridge.configs import ConfigTools

_URL_KEY: Final = re.compile(
    rb"""^\s*url\s*=\s*(["'])(entity\+(?:sqlite|postgresql)://[^"'\r\n]+)\1""", re.MULTILINE
)


def _bridge(url: str, secret: str | None) -> Bridge:
    from engine_bridge.engines.entity_state.bridge import EntityBridge

    return EntityBridge(url, secret)


def _actor(url: str, secret: str | None) -> Actor:
    from engine_bridge.engines.entity_state.act import EntityActor

    return EntityActor(url, secret)


def _configs() -> ConfigTools:
    from engine_bridge.engines.entity_state.tools import EntityConfigs

    return EntityConfigs()


def _sniff(path: str, head: bytes) -> str | None:
    """A mapping that says which database it belongs to."""
    found = _URL_KEY.search(head) if path.lower().endswith(".toml") else None
    if found is None:
        return None
    from engine_bridge.engines.entity_state.url import of_mapping

    return of_mapping(found[2].decode(errors="replace"), path)


def _absolute(url: str) -> str:
    from engine_bridge.engines.entity_state.url import absolute

    return absolute(url)


def _file_url(fields: dict[str, str]) -> str:
    from engine_bridge.engines.entity_state.url import file_url

    return file_url(fields["path"], fields["mapping"], fields.get("tenant", ""))


def _server_url(fields: dict[str, str]) -> str:
    from engine_bridge.engines.entity_state.url import server_url

    return server_url(fields)


_MAPPING: Final = ConnectField("mapping", "Mapping", placeholder="/srv/app/entities.toml")
_TENANT: Final = ConnectField("tenant", "Tenant", placeholder="empty: no tenant is set")

ENGINE: Final = Engine(
    name="entity_state",
    title="Entities",
    schemes=("entity+sqlite", "entity+postgresql"),
    bridge=_bridge,
    actor=_actor,
    sniff=_sniff,
    forms=(
        ConnectForm(
            scheme="entity+sqlite",
            title="Entities on SQLite",
            fields=(ConnectField("path", "File", placeholder="/srv/app/app.sqlite"), _MAPPING, _TENANT),
            build=_file_url,
        ),
        ConnectForm(
            scheme="entity+postgresql",
            title="Entities on PostgreSQL",
            fields=(
                ConnectField("host", "Host", "localhost"),
                ConnectField("port", "Port", "5432"),
                ConnectField("database", "Database", placeholder="app"),
                ConnectField("user", "User", "postgres"),
                ConnectField("password", "Password", secret=True),
                _MAPPING,
                _TENANT,
                ConnectField("schema", "Schema", placeholder="empty: the search path"),
            ),
            build=_server_url,
        ),
    ),
    file_patterns=("*.toml",),
    absolute=_absolute,
    configs=_configs,
)
