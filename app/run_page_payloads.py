"""Bytes for the payload viewer, slice by slice, and what encoded ones decode to. GUI thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from engine_bridge.bridge import Capability, Decoding
from engine_bridge.errors import PlayheadError
from engine_bridge.model import PayloadRef

if TYPE_CHECKING:
    from app.run_page import RunPage


class Payloads(QObject):
    """Answers the viewer's requests; the newest one wins, since one payload is shown at a time."""

    def __init__(self, page: RunPage) -> None:
        super().__init__(page)
        self._page = page

    def load(self, request: tuple[PayloadRef, int, int]) -> None:
        """Reads ``length`` bytes (-1: to the end) from ``offset`` on."""
        ref, offset, length = request
        viewer = self._page.view.detail.payload
        source = self._page.source()
        missing = "the source is not open" if source is None else source.can(Capability.PAYLOADS)
        if source is None or source.session is None or missing:
            viewer.set_error(ref, PlayheadError(f"This payload cannot be read: {missing}."))
            return

        def arrived(data: bytes) -> None:
            viewer.set_data(ref, offset, data, complete=length < 0 or len(data) < length)

        self._page.jobs.run(
            "payload",
            source.session,
            "payload",
            ref.key,
            offset,
            length,
            on_result=arrived,
            on_error=lambda error: viewer.set_error(ref, error),
        )

    def decode(self, ref: PayloadRef) -> None:
        """Asks the source to decode a payload; it may ask a codec server."""
        viewer = self._page.view.detail.payload
        source = self._page.source()
        if source is None or source.session is None or source.can(Capability.DECODE):
            viewer.set_decoding(ref, Decoding(error=f"It is {ref.encoded}: this source cannot decode it."))
            return
        session = source.session

        def arrived(found: tuple[Decoding, ...]) -> None:
            viewer.set_decoding(ref, found[0])
            if found[0].by:
                self._page.feed.decoded.again(session)

        self._page.jobs.run(
            "decode",
            session,
            "decode_payloads",
            (ref.key,),
            on_result=arrived,
            on_error=lambda error: viewer.set_decoding(ref, Decoding(error=error.message, hint=error.hint)),
        )
