"""The run page's header: what this is, in which state, since when, and whom it belongs to. GUI thread."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from engine_bridge import format as fmt
from engine_bridge.bridge import Relation
from engine_bridge.model import Blocked, Run, RunRef, Status
from widgets import glyphs
from widgets.run.entity import entity_parts, is_entity, own_status
from widgets.run.labels import Chip, Glyph, Link, Text
from widgets.run.moment import Moment
from widgets.shell.top_bar import Badge

_CHAIN = (
    "parent", "caller", "forked_from", "reset from", "continued_from", "continues", "previous", "continued", "next",
    "retry_of", "retry", "fork", "reset to", "reset",
)  # fmt: skip
_CHAIN_LIMIT = 6


def summary(run: Run, moment: Moment) -> str:
    """ "started 14:05:00 · 1 m 58 s of 2 m 58 s · version 2 · queue orders / acme"."""
    entity = is_entity(run)
    parts = [_begin(run, moment), _length(run, moment)]
    if entity:
        parts = [_created(run, moment), *entity_parts(run, moment)]
    if run.version:
        parts.append(f"version {fmt.plain(run.version, 24)}")
    if run.queue:
        parts.append(f"queue {run.queue}" + (f" / {run.partition}" if run.partition else ""))
    if run.schedule:
        parts.append(f"schedule {run.schedule}")
    return " · ".join(part for part in parts if part)


def _begin(run: Run, moment: Moment) -> str:
    now = moment.now_ns or run.created_ns or 0
    if run.started_ns is not None:
        return f"started {fmt.short_time(run.started_ns, now, moment.zone)}"
    if run.delay_until_ns is not None:
        return f"delayed until {fmt.short_time(run.delay_until_ns, now, moment.zone)}"
    if run.created_ns is not None:
        return f"created {fmt.short_time(run.created_ns, now, moment.zone)}, not started"
    return "not started"


def _created(run: Run, moment: Moment) -> str:
    """When an entity's life began, and how long it lasted if it is over: in between it only stands somewhere."""
    if run.created_ns is None:
        return ""
    began = f"created {fmt.short_time(run.created_ns, moment.now_ns or run.created_ns, moment.zone)}"
    return (
        f"{began} · lasted {fmt.duration(run.ended_ns - run.created_ns)}"
        if run.ended_ns is not None
        else began
    )


def _length(run: Run, moment: Moment) -> str:
    start = run.started_ns
    if start is None:
        return ""
    end = run.ended_ns if run.ended_ns is not None else None if run.status.closed else moment.now_ns
    whole = fmt.duration(end - start) if end is not None else ""
    if moment.live or moment.time_ns is None:
        return whole
    return f"{fmt.duration(moment.time_ns - start)} of {whole}" if whole else ""


def status_words(moment: Moment) -> tuple[str, str]:
    """The status (for glyph and colour) and its words at the playhead; an entity's are those of its own status."""
    run = moment.run
    status = moment.run_status or (run.status if run is not None and moment.live else None)
    if status is None:
        return "pending", "no status yet at this event"
    words = fmt.plain(own_status(moment), 60) or status.value.replace("_", " ")
    return status.value, words if moment.live else f"{words} at this event"


class RunHeader(QWidget):
    """Status, type, id and chip; below, since when, how long and the links to the runs around this one."""

    run_opened = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._found: list[tuple[str, RunRef, Run | None]] = []
        self._glyph = Glyph(size=18)
        self._type = Text(size=18, bold=True, least=140, most=420)
        self._id = Text(code=True, tone="muted", elide=Qt.TextElideMode.ElideMiddle, least=136, most=300)
        self._chip = Chip()
        self._summary = Text(size=13, tone="muted", least=160)
        self.staged = Badge()
        self.side = QHBoxLayout()
        self.side.setSpacing(12)
        top = QHBoxLayout()
        top.setSpacing(10)
        for widget in (self._glyph, self._type, self._id, self._chip):
            top.addWidget(widget)
        top.addStretch(1)
        top.addLayout(self.side)
        self._links = QHBoxLayout()
        self._links.setSpacing(8)
        self._links.addStretch(1)
        self._links.setContentsMargins(0, 0, 0, 0)
        self._link_row = QWidget()
        self._link_row.setLayout(self._links)
        self._link_row.hide()
        facts = QHBoxLayout()
        facts.setContentsMargins(28, 0, 0, 0)
        facts.setSpacing(16)
        facts.addWidget(self._summary)
        facts.addWidget(self.staged)
        facts.addWidget(self._link_row)
        facts.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(top)
        layout.addLayout(facts)
        self.setAccessibleName("Run")

    @property
    def text(self) -> str:
        """The first line as words."""
        return " ".join((self._type.text, self._id.text, self._chip.text, self._summary.text))

    @property
    def links(self) -> list[str]:
        """Words of the links, as shown."""
        return [link.text for link in self._link_row.findChildren(Link)]

    def show_title(self, title: str, run_id: str, words: str) -> None:
        """Before any header is read."""
        self._type.set_text(title)
        self._id.set_text(run_id)
        self._chip.set_status("pending", words)
        self._summary.set_text("")
        self._glyph.set_glyph("pending", "muted")
        self._set_links([])

    def show_moment(self, moment: Moment, blocked: Blocked | None = None) -> None:
        """The run at the playhead; a clock stands before the name of one that waits."""
        run = moment.run
        if run is None:
            return
        status, words = status_words(moment)
        shown = "waiting" if blocked is not None and status == Status.RUNNING else status
        self._glyph.set_glyph(glyphs.state_glyph(shown), shown)
        self._type.set_text(run.type or "(no type)")
        self._id.set_text(f"{run.id} {run.ref.tail}".rstrip(), str(run.ref) if run.ref.tail else "")
        self._chip.set_status(status, words, _chip_tip(run, moment))
        self._summary.set_text(summary(run, moment), _exact(run, moment))
        self.setAccessibleDescription(self.text)

    def show_staged(self, titles: tuple[str, ...]) -> None:
        """What is staged on this run, in the playhead's colour: nothing of it has been sent."""
        words = titles[0] if len(titles) == 1 else f"{len(titles)} actions"
        tip = "Staged, not sent:\n" + "\n".join(titles) + "\nCtrl+E reviews it."
        self.staged.set(f"staged: {fmt.plain(words, 32)}" if titles else "", "playhead", "operator", tip)

    def show_chain(self, run: Run, relations: tuple[Relation, ...]) -> None:
        """Links to parent, origin, forks and continuations; children are in the relations tab."""
        found = [(r.role, r.ref, r.run) for r in relations if r.role in _CHAIN]
        known = {value for role, ref, _ in found for value in (role, ref)}
        for role, ref in (("parent", run.parent), ("forked_from", run.forked_from)):
            if ref is not None and role not in known and ref not in known:
                found.append((role, ref, None))
        found.sort(key=lambda item: _CHAIN.index(item[0]))
        self._set_links(found)

    def _set_links(self, found: list[tuple[str, RunRef, Run | None]]) -> None:
        if found == self._found:
            return
        self._found = found
        while self._links.count() > 1:
            item = self._links.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.setParent(None)
                widget.deleteLater()
        for index, (role, ref, run) in enumerate(found[:_CHAIN_LIMIT]):
            self._links.insertWidget(2 * index, Text(role.replace("_", " "), tone="muted", least=90))
            link = Link(f"{run.type} {ref.label}" if run is not None else ref.label, code=True, most=300)
            link.activated.connect(lambda ref=ref: self.run_opened.emit(ref))
            self._links.insertWidget(2 * index + 1, link)
        if len(found) > _CHAIN_LIMIT:
            more = Text(f"and {len(found) - _CHAIN_LIMIT} more in Relations", tone="muted")
            self._links.insertWidget(2 * _CHAIN_LIMIT, more)
        self._link_row.setVisible(bool(found))


def _chip_tip(run: Run, moment: Moment) -> str:
    status = run.status.value.replace("_", " ")
    if is_entity(run):
        return f"{status}: stands on {run.engine_status}" if moment.live else f"now {run.engine_status}"
    return f"recorded as {run.engine_status}" if moment.live else f"now {status}"


def _exact(run: Run, moment: Moment) -> str:
    rows = (
        ("created", fmt.timestamp(run.created_ns, moment.zone)),
        ("started", fmt.timestamp(run.started_ns, moment.zone)),
        ("ended", fmt.timestamp(run.ended_ns, moment.zone)),
        ("duration", fmt.duration_exact(run.duration_ns)),
    )
    return "\n".join(f"{name}  {value}" for name, value in rows if value)
