"""The entities page's controller: one workflow type's populations, its entities, and the moves staged on them."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtWidgets import QWidget

from app.actions_specs import Offered
from app.commands import Command
from app.context import Context, PageController, Source
from app.entities_page_empty import Empties
from app.entities_page_list import EntityList, usual_sort
from app.entities_page_moves import Moves
from app.entities_page_population import Populations
from app.entities_page_ways import Ways
from app.runs_page_cells import Cells
from engine_bridge.actions.model import Target
from engine_bridge.bridge import Field, Page
from engine_bridge.errors import PlayheadError, QueryError
from engine_bridge.focus import Focus
from engine_bridge.format import count
from engine_bridge.model import Run, RunRef
from engine_bridge.populations import Population
from engine_bridge.query.ast import And, Compare, Node
from engine_bridge.session import Session
from widgets.entities.filters import knowing, states
from widgets.entities.header import LINT
from widgets.entities.page import EntitiesView
from widgets.runs.clauses import clauses

_NO_STATUS = "No status is known: the config declares none, and no entity stands on one."


class EntitiesPage(PageController):
    """Shows the focused source's entities of the focused type, live."""

    name = "entities"
    title = "Entities"

    def __init__(self, context: Context, view: EntitiesView | None = None) -> None:
        super().__init__(context)
        self.view = view or EntitiesView()
        self.sheet_home = self.view.splitter
        self.offered = Offered()
        self.node: Node | None = None
        self.fields: list[Field] = []
        self._loaded: tuple[str | None, Session | None, str, str] | None = None
        self._selected: frozenset[RunRef] = frozenset()
        self.rows = EntityList(self)
        self.populations = Populations(self)
        self.empties = Empties(self)
        self.ways = Ways(self)
        self.moves = Moves(self)
        self.cells = Cells(self, "entity")
        self._connect()

    @classmethod
    def build(cls, context: Context) -> Iterator[PageController | None]:
        view = EntitiesView()
        yield None
        yield cls(context, view)

    def _connect(self) -> None:
        view, settings = self.view, self.context.settings
        view.show_columns(frozenset(str(settings.get("entities_columns")).split(",")))
        view.columns_changed.connect(lambda ids: settings.set("entities_columns", ",".join(ids)))
        view.filter_bar.applied.connect(self.apply_filter)
        view.table.opened.connect(self.open_run)
        view.table.sort_requested.connect(self.sort_by)
        view.table.selection_moved.connect(self._on_chosen_moved)
        view.table.current_moved.connect(self._on_chosen_moved)
        self.rows.feed.opened.connect(self._on_opened)
        self.rows.feed.read.connect(self._on_read)
        self.rows.feed.failed.connect(self.empties.failed)
        self.rows.feed.cancelled.connect(self.empties.cancelled)
        self.jobs.busy.connect(lambda _: self.empties.busy())
        self.populations.arrived.connect(self._on_population)
        self.populations.failed.connect(self._on_no_population)
        self.populations.ticked.connect(self.show_status)
        self.context.sources.changed.connect(self._on_source)

    @property
    def widget(self) -> QWidget:
        return self.view

    @property
    def types(self) -> tuple[str, ...]:
        """The workflow types of the source."""
        source = self.source()
        return source.info.entity_types if source is not None and source.info is not None else ()

    @property
    def type(self) -> str:
        """The workflow type on show: the focused one, or the first there is."""
        wanted, types = self.context.focus.current.type, self.types
        return wanted if wanted is not None else types[0] if types else ""

    # -- focus ----------------------------------------------------------------------------------------------

    def focus_changed(self, new: Focus, old: Focus) -> None:
        if new.page != self.name:
            self._pause()
            return
        source = self.source()
        if self._loaded != self._wanted(source):
            self._load(source)
        self.rows.live.start()
        self.populations.start()
        if old.page != self.name and not self.view.filter_bar.line.hasFocus():
            self.view.table.setFocus()

    def _wanted(self, source: Source | None) -> tuple[str | None, Session | None, str, str]:
        focus = self.context.focus.current
        return focus.source, source.session if source else None, self.type, focus.query

    def refresh(self) -> None:
        self._load(self.source(), keep=True)

    def close(self) -> None:
        self.context.sources.changed.disconnect(self._on_source)
        self.empties.stop()
        self._pause()
        super().close()

    def _pause(self) -> None:
        self.rows.stop()
        self.populations.stop()

    def load_again(self) -> None:
        """Reads everything anew, as if the page had just been opened."""
        self._loaded = None
        self._on_source(self.context.focus.current.source or "")

    # -- loading --------------------------------------------------------------------------------------------

    def _load(self, source: Source | None, *, keep: bool = False) -> None:
        before, self._loaded = self._loaded, self._wanted(source)
        session, type_ = self._loaded[1], self.type
        self.empties.stop()
        self.empties.error = None
        same = before is not None and before[:3] == self._loaded[:3]
        keep = keep and self.view.showing_rows
        self._selected = frozenset(self.view.selected_refs()) if keep else frozenset()
        self.view.header.set_types(self.types, type_)
        self.ways.show()
        if source is None or session is None:
            self.empties.closed(source)
            return
        if type_ not in self.types:
            self.empties.no_type(type_)
            return
        if not same:
            self._begin(source)
        if not same or keep:
            self.populations.load(session, type_)
        self._show_sort()
        self.view.filter_bar.set_text(self.context.focus.current.query)
        if self._parse():
            self._read(session, keep=keep)

    def _begin(self, source: Source) -> None:
        """Another source or type: nothing of the old one stays on the screen."""
        self.jobs.cancel_all()
        self.rows.sort = usual_sort(source.fields)
        self.view.model.clock.zone = self.context.settings.zone()
        self.fields = list(source.fields)
        self.view.filter_bar.set_fields(self.fields)
        self.view.header.set_population(None)
        self.view.set_population(None, "Reading populations …")

    def _parse(self) -> bool:
        query = self.context.focus.current.query
        self.node = None
        if query.strip():
            from engine_bridge.query import parse

            try:
                self.node = parse(query, self.fields, self.context.settings.zone())
            except QueryError as error:
                self.empties.show_error(error)
                return False
        self.view.graph.set_chosen(states(self.node))
        self._show_header()
        return True

    def _read(self, session: Session, *, keep: bool) -> None:
        if not keep:
            self.view.show_rows()
        self.rows.open(session, self._typed(), keep=keep)

    def _typed(self) -> Node | None:
        """The filter, and that an entity is of the type on show."""
        if not any(field.name == "type" for field in self.fields):
            return self.node
        only = Compare("type", "==", self.type)
        return only if self.node is None else And((only, *clauses(self.node)))

    def moved(self) -> None:
        """The source changed: figures and staged moves follow."""
        self.populations.outdate()
        self.moves.refresh()
        self.targets_changed.emit()

    # -- what arrives ---------------------------------------------------------------------------------------

    def _on_population(self, population: Population) -> None:
        if population.as_of_ns:
            self.rows.set_now(population.as_of_ns)
        if population.problem:
            self.empties.problem(population.problem)
            return
        if self.view.showing_problem:
            self.view.show_rows()
        self.view.set_population(population, _NO_STATUS)
        self._learn(population)
        self._show_header()
        self.moves.refresh()
        self.show_status()
        if not self.view.showing_rows and not self.view.model.rowCount() and self.empties.error is None:
            self._on_read(None)

    def _learn(self, population: Population) -> None:
        """Statuses that only the data know can be filtered by; a filter that was refused for one is tried again."""
        known = knowing(self.fields, (node.status for node in population.nodes))
        if known == self.fields:
            return
        self.fields = known
        self.view.filter_bar.set_fields(known)
        if isinstance(self.empties.error, QueryError):
            self._load(self.source())

    def _on_no_population(self, error: PlayheadError) -> None:
        if self.populations.shown is None:
            self.view.set_population(
                None, f"The populations cannot be read.\n{error.message}\n{error.hint}".strip()
            )
        else:
            self.context.report(error)

    def _on_opened(self, opened: tuple[Page, float]) -> None:
        source = self.source()
        self.empties.error = None
        self.view.filter_bar.warm()
        if source is not None and source.session is not None:
            self.rows.measure(source, source.session, opened[0])
        if self._selected:
            self.view.select(self._selected)
        self.show_status()

    def _on_read(self, _: Page | None) -> None:
        self.moves.refresh()
        self.show_status()
        model = self.view.model
        if self.problem:
            self.empties.problem(self.problem)
        elif model.rowCount() or model.blocks.resume is not None or self.rows.feed.busy:
            self.view.show_rows()
        else:
            self.empties.nothing()

    @property
    def problem(self) -> str:
        """Why no entity can be seen at all, "" when they can."""
        return self.populations.shown.problem if self.populations.shown is not None else ""

    # -- what the user does ---------------------------------------------------------------------------------

    def apply_filter(self, text: str) -> None:
        """Makes a text the filter in force."""
        if not self.view.graph.hasFocus():
            self.view.table.setFocus()
        self.context.focus.change(query=text)

    def focus_graph(self) -> None:
        """Gives the status graph the keyboard: arrows walk, Enter filters."""
        self.view.graph.setFocus()
        if not self.view.graph.current:
            self.view.graph.walk(0)

    def open_run(self, run: Run) -> None:
        """Goes to an entity's page."""
        self.context.focus.change(page="run", run=run.ref, position=None, step_id=None)

    def open_current(self) -> None:
        run = self.chosen_run
        if run is not None:
            self.open_run(run)

    def sort_by_current(self) -> None:
        """Sorts by the column of the current cell."""
        self.sort_by(max(1, self.view.table.currentIndex().column()))

    def sort_by(self, column: int) -> None:
        """Sorts by a column, or turns its order round; says why when the source cannot."""
        shown, source = self.view.model.columns[column], self.source()
        if shown.check:
            return
        if not any(
            field.name == shown.field and field.sortable for field in (source.fields if source else ())
        ):
            self.context.notify(f"This source cannot sort by {shown.title}.")
            return
        self.rows.turn(shown.field)
        self._load(source)

    @property
    def chosen_run(self) -> Run | None:
        """The entity of the current row, else the first selected one; None when nothing is chosen."""
        table = self.view.table
        return table.current_run or next(
            (run for run in table.selected_items() if isinstance(run, Run)), None
        )

    # -- actions --------------------------------------------------------------------------------------------

    def targets(self) -> tuple[Target, ...]:
        runs = self.view.table.selected_items() or [run for run in (self.chosen_run,) if run is not None]
        return tuple(Target(kind="run", id=str(run.id), title=run.type, ref=run.ref) for run in runs)

    def targets_words(self) -> str:
        at_hand, whole = len(self.targets()), self.view.table.selected_count
        return f"the {at_hand} of {whole} selected entities that were read" if whole > at_hand else ""

    def matching(self) -> tuple[str, Node | None] | None:
        from engine_bridge.query.text import and_, compare

        query = and_(self.context.focus.current.query, compare("type", self.type))
        return (query, self._typed()) if self.view.showing_rows else None

    def show_actions(self, offered: Offered) -> None:
        self.offered = offered
        self.moves.show(offered)
        self.show_status()

    def _on_chosen_moved(self) -> None:
        self.ways.show()
        self.targets_changed.emit()

    # -- words ----------------------------------------------------------------------------------------------

    def _show_header(self) -> None:
        population = self.populations.shown
        if population is None or population.problem:
            return
        self.view.header.set_population(population, self.ways.chosen_badge(), self.ways.why_not(LINT))

    def _show_sort(self) -> None:
        columns = self.view.model.columns
        number = next((n for n, column in enumerate(columns) if column.field == self.rows.sort.field), -1)
        self.view.model.show_sort(number, self.rows.sort.descending)

    def show_status(self) -> None:
        """Tells the status bar what is listed, how old the figures are, and what is staged."""
        if self.problem or self.view.showing_problem or self.empties.error is not None:
            return
        parts = [self._listed(), self.populations.age]
        self.status_changed.emit(" · ".join(part for part in parts if part))

    def _listed(self) -> str:
        """ "1 906 of 48 210 entities", as far as it is known."""
        population, found = self.populations.shown, self.rows.total
        whole = population.total if population is not None else None
        chosen = self.view.table.selected_count
        told = f", {count(chosen)} selected" if chosen > 1 else ""
        if found is None:
            found = self.view.model.rowCount() if self.rows.scan.through else None
        if found is None or (whole is not None and found == whole):
            return "" if whole is None else f"{count(whole)} entities{told}"
        return f"{count(found)}{'' if whole is None else f' of {count(whole)}'} entities{told}"

    def commands(self) -> list[Command]:
        from app.entities_page_commands import commands

        return commands(self)
