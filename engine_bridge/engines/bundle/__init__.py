"""Bundles: runs that were exported to a file, opened without the source they came from."""

from __future__ import annotations

from pathlib import Path

from engine_bridge.bridge import Bridge, ConnectField, ConnectForm, Engine
from engine_bridge.file_names import quoted, unquoted

_SCHEME = "bundle"


def _bridge(url: str, secret: str | None) -> Bridge:
    from engine_bridge.engines.bundle.bridge import BundleBridge

    return BundleBridge(path_of(url))


def path_of(url: str) -> Path:
    """The file of ``bundle:///absolute/path`` (percent-encoded) or of a path."""
    rest = url.removeprefix(f"{_SCHEME}://")
    return Path(rest if rest == url else unquoted(rest)).expanduser()


def _url(path: str) -> str:
    return f"{_SCHEME}://" + quoted(str(Path(path).expanduser().absolute()), "/:\\")


def _sniff(path: str, head: bytes) -> str | None:
    # The first part of the zip is the manifest; its name follows the 30 bytes of the local file header.
    return _url(path) if head.startswith(b"PK\x03\x04") and head[30:43] == b"manifest.json" else None


ENGINE = Engine(
    name="bundle",
    title="Exported runs",
    schemes=(_SCHEME,),
    bridge=_bridge,
    sniff=_sniff,
    forms=(
        ConnectForm(
            scheme=_SCHEME,
            title="Exported runs (a .playhead file)",
            fields=(ConnectField("path", "File", placeholder="~/order-1.playhead"),),
            build=lambda fields: _url(fields["path"]),
        ),
    ),
    file_patterns=("*.playhead",),
    absolute=lambda url: _url(str(path_of(url))),
)
