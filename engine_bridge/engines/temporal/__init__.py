"""Temporal: exported histories, servers, and dev-server databases."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from engine_bridge.bridge import Bridge, CodecPlace, ConnectField, ConnectForm, Engine
from engine_bridge.engines.temporal import codec_url, sdk
from engine_bridge.engines.temporal import url as urls
from engine_bridge.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine_bridge.actions.model import Actor
    from engine_bridge.history import Looker
    from engine_bridge.model import Event, Step

_SQLITE_MAGIC = b"SQLite format 3\x00"


def _bridge(url: str, secret: str | None, *, token: str | None = None) -> Bridge:
    sdk.defer()
    scheme = url.partition("://")[0].lower()
    if scheme == urls.SERVER:
        from engine_bridge.engines.temporal.server_bridge import ServerBridge

        return ServerBridge(url, secret, token)
    if scheme == urls.SQLITE:
        from engine_bridge.engines.temporal.dev_bridge import DevBridge

        return DevBridge(url, token)
    from engine_bridge.engines.temporal.file_bridge import FileBridge

    return FileBridge(url, token)


def _actor(url: str, secret: str | None, *, token: str | None = None) -> Actor:
    if url.partition("://")[0].lower() != urls.SERVER:
        raise UnsupportedError("Only a server can be acted on.", "Open temporal://HOST:PORT/NAMESPACE.")
    from engine_bridge.engines.temporal.act import TemporalActor

    return TemporalActor(url, secret, token)


@functools.cache
def _readers() -> tuple[Callable[[Any], Event], Callable[[Any], Step], type[Looker]]:
    sdk.defer()
    # Once: an import statement, even of what is there, is dear where Qt is loaded.
    from engine_bridge.engines.temporal.events_text import RecordLooker
    from engine_bridge.engines.temporal.group_event import decode_event
    from engine_bridge.engines.temporal.group_step import decode_step

    return decode_event, decode_step, RecordLooker


def _decode_event(record: Any) -> Event:
    return _readers()[0](record)


def _decode_step(record: Any) -> Step:
    return _readers()[1](record)


def _looker() -> Looker:
    return _readers()[2]()


def _prepare() -> None:
    """The first event takes 100 ms of imports, the others take 50 us."""
    _readers()
    from temporalio.api.enums.v1 import EventType
    from temporalio.api.history.v1 import HistoryEvent

    from engine_bridge.engines.temporal.group import StepRecord
    from engine_bridge.model import RunRef

    event = HistoryEvent(event_id=1, event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED)
    event.workflow_execution_signaled_event_attributes.signal_name = "none"
    ref = RunRef("workflow", "none", "none")
    record = (event.SerializeToString(), "none", ref)
    _decode_event(record)
    _decode_step(StepRecord(ref, 1, "none", (record,)))


def _sniff(path: str, head: bytes) -> str | None:
    if not head.startswith(_SQLITE_MAGIC):
        return urls.sniff(path, head)
    from engine_bridge.engines.temporal import dev_schema, dev_url

    return dev_url.dev_url(path) if dev_schema.is_dev_database(path, head) else None


def _together(several: tuple[str, ...]) -> str | None:
    """One source of several histories; databases stay sources of their own."""
    return None if any(url.startswith(urls.SQLITE) for url in several) else urls.together(several)


def _database_url(fields: dict[str, str]) -> str:
    from engine_bridge.engines.temporal.dev_url import dev_url

    return dev_url(fields["path"], fields.get("namespace", ""))


def _absolute(url: str) -> str:
    scheme = url.partition("://")[0].lower()
    if scheme == urls.SERVER:
        from engine_bridge.engines.temporal.client_url import absolute

        return absolute(url)
    if scheme == urls.SQLITE:
        from engine_bridge.engines.temporal import dev_url

        return dev_url.absolute(url)
    return url if "://" in url and scheme != urls.FILE else urls.absolute(url)


def _server_url(fields: dict[str, str]) -> str:
    from engine_bridge.engines.temporal.client_url import server_url

    return server_url(fields)


def _with_codec(url: str, fields: dict[str, str]) -> str:
    return codec_url.put(url, fields.get("codec", ""))


_CODEC = ConnectField("codec", "Codec server", placeholder="empty: none; https://codec.example:8081")

ENGINE = Engine(
    name="temporal",
    title="Temporal",
    schemes=(urls.SERVER, urls.SQLITE, urls.FILE),
    bridge=_bridge,
    actor=_actor,
    hosts={urls.SERVER: "process"},
    sniff=_sniff,
    folders=True,
    together=_together,
    forms=(
        ConnectForm(
            scheme=urls.SERVER,
            title="Temporal server",
            fields=(
                ConnectField("host", "Host", "localhost"),
                ConnectField("port", "Port", "7233"),
                ConnectField("namespace", "Namespace", "default"),
                ConnectField(
                    "api_key",
                    "API key",
                    secret=True,
                    placeholder="empty: from the keyring, TEMPORAL_API_KEY, or none",
                ),
                ConnectField(
                    "tls",
                    "TLS",
                    choices=(("", "Only with an API key or a certificate"), ("true", "Always")),
                ),
                ConnectField("ca", "CA certificate", placeholder="empty: this machine's authorities"),
                ConnectField("cert", "Client certificate", placeholder="/etc/ssl/client.pem"),
                ConnectField("key", "Client key", placeholder="/etc/ssl/client.key"),
                ConnectField(
                    "server_name", "Server name", placeholder="if its certificate names another host"
                ),
                _CODEC,
            ),
            build=_server_url,
        ),
        ConnectForm(
            scheme=urls.FILE,
            title="Temporal: exported histories",
            fields=(ConnectField("path", "File or folder", placeholder="~/histories"), _CODEC),
            build=lambda fields: _with_codec(urls.file_url(fields["path"]), fields),
        ),
        ConnectForm(
            scheme=urls.SQLITE,
            title="Temporal: a development server's database",
            fields=(
                ConnectField("path", "File", placeholder="~/temporal.db"),
                ConnectField("namespace", "Namespace", placeholder="empty: the one with runs"),
                _CODEC,
            ),
            build=lambda fields: _with_codec(_database_url(fields), fields),
        ),
    ),
    file_patterns=(*(f"*{suffix}" for suffix in urls.SUFFIXES), "*.json.gz"),
    absolute=_absolute,
    decode_event=_decode_event,
    decode_step=_decode_step,
    prepare=_prepare,
    looker=_looker,
    codec=CodecPlace(
        of=codec_url.of,
        put=codec_url.put,
        doc="It answers POST /decode and /encode, as the codec server of the Temporal web UI does.",
    ),
)
