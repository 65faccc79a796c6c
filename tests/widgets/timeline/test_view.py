"""The timeline under a real mouse and real keys: what the user sees, and what the window is told."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QContextMenuEvent, QImage, QMouseEvent, QPixmap, QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine_bridge.history import BatchBuilder, History
from engine_bridge.model import Event, EventKind, Step, StepKind, StepStatus
from tests.bench.histories import make_batches, make_history
from tests.fakes import NOW, T0, S, make_run
from tests.widgets.timeline.conftest import MakeView, small_history
from widgets import theme
from widgets.timeline import TimelineView
from widgets.timeline.paint_frame import AXIS, GUTTER, flag_rect
from widgets.timeline.ticks import Mode

LEFT = Qt.MouseButton.LeftButton
NONE = Qt.KeyboardModifier.NoModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier


def place_of(view: TimelineView, row: int, *, track: int = 0, share: float = 0.5) -> QPoint:
    """The canvas point on a step's bar."""
    start, end, _ = view.state.span((track, row))
    x = view.state.scale.x_of(round(start + (end - start) * share))
    return view.map_plot(x, view.state.row_of((track, row)))


def wheel(
    view: TimelineView, at: QPoint, up: int, modifiers: Qt.KeyboardModifier = NONE, sideways: int = 0
) -> None:
    event = QWheelEvent(
        QPointF(at),
        QPointF(view.canvas.mapToGlobal(at)),
        QPoint(),
        QPoint(sideways, up),
        Qt.MouseButton.NoButton,
        modifiers,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view.canvas, event)


def drag(qtbot: QtBot, view: TimelineView, start: QPoint, stop: QPoint) -> None:
    qtbot.mousePress(view.canvas, LEFT, NONE, start)
    for i in range(1, 6):
        qtbot.mouseMove(view.canvas, start + (stop - start) * i / 5)
    qtbot.mouseRelease(view.canvas, LEFT, NONE, stop)


def shift_move(view: TimelineView, at: QPoint) -> None:
    """A mouse move with Shift held, which qtbot cannot make."""
    everywhere = QPointF(view.canvas.mapToGlobal(at))
    event = QMouseEvent(QEvent.Type.MouseMove, QPointF(at), everywhere, Qt.MouseButton.NoButton, LEFT, SHIFT)
    QApplication.sendEvent(view.canvas, event)


def picture(view: TimelineView) -> QImage:
    return view.canvas.grab().toImage()


def near(color: QColor, other: QColor, by: int = 14) -> bool:
    return all(abs(a - b) <= by for a, b in zip(color.getRgb()[:3], other.getRgb()[:3], strict=True))


@pytest.mark.parametrize("name", ["dark", "light", "high_contrast"])
def test_a_failed_bar_shows_its_stroke_and_its_fill(make_view: MakeView, name: str) -> None:
    view = make_view(small_history(1), name)
    image, look = picture(view), theme.load(name)
    at = place_of(view, 3, share=0.9)
    assert near(image.pixelColor(at + QPoint(0, 5)), look.fill("failed"))
    assert near(image.pixelColor(place_of(view, 3, share=0.0) + QPoint(1, 5)), look.state("failed"))
    assert near(image.pixelColor(place_of(view, 0, share=0.9) + QPoint(0, 5)), look.fill("completed"))


def test_attempts_are_drawn_apart(make_view: MakeView) -> None:
    """The first attempt of charge_card failed after 0.1 s, the second began at 0.2 s."""
    view = make_view(small_history(1))
    view.show_state()
    view.zoom_to_selection()
    view.set_selected("2")
    view.zoom_to_selection()
    image, look = picture(view), theme.load("dark")
    first, gap, second = (place_of(view, 1, share=share) for share in (0.1, 0.3, 0.9))
    assert near(image.pixelColor(first + QPoint(20, 5)), look.fill("failed"))
    assert near(image.pixelColor(gap + QPoint(0, 5)), look.color("selection"))
    assert near(image.pixelColor(second + QPoint(0, 5)), look.fill("completed"))


def test_an_open_bar_grows_with_the_clock(make_view: MakeView) -> None:
    view = make_view(small_history(2))
    assert view.state.span((0, 3))[1] == NOW
    view.set_now(NOW + 60 * S)
    assert view.state.span((0, 3))[1] == NOW + 60 * S


def test_no_history_says_what_to_do(make_view: MakeView) -> None:
    view = make_view(None)
    assert "Choose a run" in view.canvas.empty_text
    assert not view.tools.isVisible()
    view.set_history(History())
    assert "No steps are recorded yet" in view.canvas.empty_text
    picture(view)


def test_the_wheel_zooms_at_the_cursor(make_view: MakeView) -> None:
    view = make_view(small_history(1))
    at = place_of(view, 2)
    before = view.state.scale.time_ns(at.x() - GUTTER)
    width = view.state.scale.u1 - view.state.scale.u0
    wheel(view, at, 120)
    assert view.state.scale.u1 - view.state.scale.u0 < width * 0.9
    assert abs(view.state.scale.time_ns(at.x() - GUTTER) - before) <= 2
    wheel(view, at, -120)
    assert view.state.scale.u1 - view.state.scale.u0 == pytest.approx(width)


def test_shift_and_a_sideways_wheel_pan(make_view: MakeView) -> None:
    view = make_view(small_history(1))
    view.zoom(4)
    at, u0 = place_of(view, 2), view.state.scale.u0
    wheel(view, at, -120, SHIFT)
    assert view.state.scale.u0 > u0
    wheel(view, at, 0, sideways=120)
    assert view.state.scale.u0 == pytest.approx(u0)


def test_the_wheel_over_the_gutter_scrolls_lanes(make_view: MakeView) -> None:
    view = make_view(make_history(2_000, names=60))
    wheel(view, QPoint(30, 100), -120)
    assert view.state.top == 78
    assert view._bar.value() == 78


def test_a_drag_pans_and_fit_comes_back(make_view: MakeView, qtbot: QtBot) -> None:
    view = make_view(small_history(1))
    u0 = view.state.scale.u0
    drag(qtbot, view, QPoint(700, 300), QPoint(600, 300))
    assert view.state.scale.u0 > u0 and not view.state.fitted
    qtbot.keyClick(view, Qt.Key.Key_F)
    assert view.state.scale.u0 == pytest.approx(u0) and view.state.fitted


def test_a_drag_on_the_axis_zooms_to_the_range(make_view: MakeView, qtbot: QtBot) -> None:
    view = make_view(small_history(1))
    first, last = (view.state.scale.time_ns(x) for x in (200, 400))
    drag(qtbot, view, QPoint(GUTTER + 200, 10), QPoint(GUTTER + 400, 12))
    assert view.state.scale.time_ns(0) == pytest.approx(first, abs=S // 50)
    assert view.state.scale.time_ns(view.state.scale.width) == pytest.approx(last, abs=S // 50)


def test_a_double_click_zooms_to_the_span(make_view: MakeView, qtbot: QtBot) -> None:
    view = make_view(small_history(1))
    qtbot.mouseDClick(view.canvas, LEFT, NONE, place_of(view, 2))
    start, end, _ = view.state.span((0, 2))
    x0, x1 = view.state.scale.x_of(start), view.state.scale.x_of(end)
    assert 0 < x0 < x1 < view.state.scale.width
    assert x1 - x0 > view.state.scale.width / 2


def test_a_click_selects_and_tells(make_view: MakeView, qtbot: QtBot) -> None:
    view = make_view(small_history(1))
    with qtbot.waitSignal(view.step_selected) as told:
        qtbot.mouseClick(view.canvas, LEFT, NONE, place_of(view, 3))
    assert told.args == ["4"]
    words = view.accessibleDescription()
    assert "create_shipment" in words and "failed" in words and "CardDeclined" in words
    with qtbot.waitSignal(view.step_selected) as told:
        qtbot.mouseClick(view.canvas, LEFT, NONE, QPoint(GUTTER + 2, 390 - 60))
    assert told.args == [None]


def test_the_selection_of_others_is_shown_without_an_echo(make_view: MakeView, qtbot: QtBot) -> None:
    view = make_view(small_history(1))
    with qtbot.assertNotEmitted(view.step_selected):
        view.set_selected("3")
    row = view.state.row_of((0, 2))
    y = AXIS + int(view.state.layout.y[row]) + 2
    assert near(picture(view).pixelColor(4, y), theme.load("dark").color("selection"))
    view.set_selected("nobody")
    assert view.state.selected is None


def test_the_context_menu_is_asked_for_with_the_step(make_view: MakeView, qtbot: QtBot) -> None:
    view = make_view(small_history(1))
    with qtbot.waitSignal(view.context_requested) as told:
        qtbot.mousePress(view.canvas, Qt.MouseButton.RightButton, NONE, place_of(view, 1))
    assert told.args[0] == "2"


def test_arrows_walk_over_bars_and_lanes(make_view: MakeView, qtbot: QtBot) -> None:
    view = make_view(make_history(80, names=4))
    seen: list[object] = []
    view.step_selected.connect(lambda _: seen.append(view.state.selected))
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Left, Qt.Key.Key_Down):
        qtbot.keyClick(view, key)
    assert seen[:4] == [(0, 0), (0, 4), (0, 8), (0, 4)]
    assert isinstance(seen[4], tuple) and seen[4][1] % 4 == 1
    qtbot.keyClick(view, Qt.Key.Key_Escape)
    assert view.state.selected is None


def test_plus_minus_home_and_end(make_view: MakeView, qtbot: QtBot) -> None:
    view = make_view(small_history(1))
    width = view.state.scale.u1 - view.state.scale.u0
    qtbot.keyClick(view, Qt.Key.Key_Plus)
    qtbot.keyClick(view, Qt.Key.Key_Plus)
    assert view.state.scale.u1 - view.state.scale.u0 == pytest.approx(width / 2.25)
    first, last = view.state.limits()
    qtbot.keyClick(view, Qt.Key.Key_End)
    assert 0.9 * view.state.scale.width < view.state.scale.x_of(last) <= view.state.scale.width
    qtbot.keyClick(view, Qt.Key.Key_Home)
    assert 0 <= view.state.scale.x_of(first) < 0.1 * view.state.scale.width
    qtbot.keyClick(view, Qt.Key.Key_Minus)
    assert view.state.scale.u1 - view.state.scale.u0 == pytest.approx(width / 1.5)


def test_dragging_the_playhead_asks_for_positions(make_view: MakeView, qtbot: QtBot) -> None:
    history = small_history(1)
    view = make_view(history)
    view.set_position(history.last_position)
    asked: list[int] = []
    view.position_requested.connect(asked.append)
    view.position_requested.connect(view.set_position)
    flag = flag_rect(view.state, view.canvas.plot)
    assert flag is not None
    end = GUTTER + view.state.scale.x_of(history.step(1).start_ns or 0) + 1
    drag(qtbot, view, flag.center().toPoint(), QPoint(int(end), int(flag.center().y())))
    assert asked == sorted(asked, reverse=True) and len(asked) > 2
    assert view.state.position == asked[-1] == 4
    assert view.state.selected is None


def test_what_comes_later_is_faded(make_view: MakeView) -> None:
    history = small_history(1)
    view = make_view(history)
    at = place_of(view, 3, share=0.9) + QPoint(0, 5)
    before = picture(view).pixelColor(at)
    view.set_position(3)
    after = picture(view).pixelColor(at)
    panel = theme.load("dark").color("panel")
    assert abs(after.red() - panel.red()) < abs(before.red() - panel.red()) / 2


def test_a_step_that_spans_the_playhead_is_running_there(make_view: MakeView) -> None:
    history = small_history(1)
    view = make_view(history)
    view.set_position(int(history.steps["first"][3]))
    color = picture(view).pixelColor(place_of(view, 3, share=0.9) + QPoint(0, 5))
    look = theme.load("dark")
    assert near(color, theme.mix(look.fill("running"), look.color("panel"), 0.38), 4)


def crowd() -> History:
    """Forty events at one time."""
    events = [
        (Event(position=i + 1, kind=EventKind.STEP_STARTED, name="e", time_ns=T0 + S, step_id="1"), 255)
        for i in range(40)
    ]
    step = Step(
        id="1", name="a", kind=StepKind.STEP, status=StepStatus.COMPLETED, start_ns=T0, end_ns=T0 + 3 * S
    )
    history = History()
    history.append(BatchBuilder().build(make_run(0), events, [step], engine_now_ns=NOW))
    return history


def test_shift_drags_event_by_event_where_times_are_equal(make_view: MakeView, qtbot: QtBot) -> None:
    view = make_view(crowd())
    view.set_position(20)
    asked: list[int] = []
    view.position_requested.connect(asked.append)
    flag = flag_rect(view.state, view.canvas.plot)
    assert flag is not None
    start = flag.center().toPoint()
    qtbot.mousePress(view.canvas, LEFT, SHIFT, start)
    for dx in (0, -4, -12, 8, 5_000):
        shift_move(view, start + QPoint(dx, 0))
    qtbot.mouseRelease(view.canvas, LEFT, SHIFT, start)
    assert asked == [19, 17, 22, 40]


def test_the_wheel_over_the_flag_steps_by_event(make_view: MakeView) -> None:
    view = make_view(crowd())
    view.set_position(20)
    asked: list[int] = []
    view.position_requested.connect(asked.append)
    flag = flag_rect(view.state, view.canvas.plot)
    assert flag is not None
    wheel(view, flag.center().toPoint(), 120)
    wheel(view, flag.center().toPoint(), -120)
    assert asked == [19, 21]


def test_a_click_on_the_axis_puts_the_playhead_there(make_view: MakeView, qtbot: QtBot) -> None:
    history = small_history(1)
    view = make_view(history)
    x = GUTTER + view.state.scale.x_of(history.step(2).start_ns or 0) + 1
    with qtbot.waitSignal(view.position_requested) as told:
        qtbot.mouseClick(view.canvas, LEFT, NONE, QPoint(int(x), 12))
    assert told.args == [int(history.steps["first"][2])]


def test_dropping_the_playhead_behind_the_end_goes_live(make_view: MakeView, qtbot: QtBot) -> None:
    view = make_view(small_history(2))
    view.set_active(False)
    view.zoom(0.7)
    view.set_position(3)
    flag = flag_rect(view.state, view.canvas.plot)
    assert flag is not None
    x = GUTTER + view.state.scale.x_of(view.state.now_ns) + 30
    with qtbot.waitSignal(view.live_requested):
        drag(qtbot, view, flag.center().toPoint(), QPoint(int(x), int(flag.center().y())))
    with qtbot.waitSignal(view.live_requested):
        qtbot.mouseClick(view.tools.live, LEFT)


def test_enter_and_the_expander_ask_for_the_child(make_view: MakeView, qtbot: QtBot) -> None:
    view = make_view(small_history(1))
    row = view.state.row_of((0, 2))
    with qtbot.waitSignal(view.child_requested) as told:
        qtbot.mouseClick(view.canvas, LEFT, NONE, view.map_plot(0, row) - QPoint(GUTTER - 10, 0))
    assert told.args == ["3"]
    rows = len(view.state.layout)
    view.set_child("3", small_history(2))
    assert len(view.state.layout) == rows + 4 and view.state.opened(row)
    with qtbot.waitSignal(view.step_selected) as told:
        qtbot.mouseClick(view.canvas, LEFT, NONE, place_of(view, 0, track=1))
    assert told.args == ["3"]
    view.set_selected("3")
    assert view.state.selected == (1, 0)
    qtbot.keyClick(view, Qt.Key.Key_Up)
    qtbot.keyClick(view, Qt.Key.Key_Return)
    assert view.state.selected == (0, 2) and len(view.state.layout) == rows
    with qtbot.waitSignal(view.child_requested):
        qtbot.keyClick(view, Qt.Key.Key_Return)


def test_tooltips_say_everything_and_never_become_markup(make_view: MakeView) -> None:
    hostile = Step(
        id="1",
        name="<img src=x onerror=1>\u202eevil",
        kind=StepKind.STEP,
        status=StepStatus.COMPLETED,
        start_ns=T0,
        end_ns=T0 + 1_500_000_001,
        attempts=2,
    )
    history = History()
    history.append(BatchBuilder().build(make_run(0), [], [hostile]))
    view = make_view(history)
    words = view._gestures.tooltip(place_of(view, 0), view.canvas.plot)
    assert "&lt;img" in words and "<img" not in words and "\u202e" not in words
    assert "1.500000001 s" in words and "attempts  2" in words
    picture(view)


def test_a_live_history_grows_under_a_fitted_view(make_view: MakeView) -> None:
    batches = make_batches(3_000, size=500)
    history = History()
    history.append(batches[0])
    view = make_view(history)
    for batch in batches[1:]:
        history.append(batch)
        view.refresh()
    first, last = view.state.limits()
    assert view.state.scale.x_of(first) > 0 and view.state.scale.x_of(last) < view.state.scale.width
    assert sum(view.state.main.lanes.count.values()) == 3_000


def test_a_zoomed_view_stays_where_the_user_put_it(make_view: MakeView) -> None:
    batches = make_batches(3_000, size=1_500)
    history = History()
    history.append(batches[0])
    view = make_view(history)
    view.zoom(5)
    before = (view.state.scale.u0, view.state.scale.u1)
    history.append(batches[1])
    view.refresh()
    view.set_now(NOW)
    assert (view.state.scale.u0, view.state.scale.u1) == before


def test_a_big_history_is_built_in_the_background(make_view: MakeView, qtbot: QtBot) -> None:
    view = make_view(make_history(60_000))
    assert view.busy and view.state.main.built.coarse and "preparing" in view.canvas.note
    picture(view)
    with qtbot.waitSignal(view.built):
        pass
    assert not view.busy and len(view.state.main.index) == 60_000 and view.canvas.note == ""
    picture(view)


def test_another_run_drops_the_build_of_the_first(make_view: MakeView, qtbot: QtBot) -> None:
    view = make_view(make_history(60_000))
    view.set_history(small_history(1))
    assert not view.busy and len(view.state.layout) == 4


def test_a_restarted_history_is_shown_anew(make_view: MakeView) -> None:
    history = small_history(1)
    view = make_view(history)
    history.clear()
    view.refresh()
    assert view.state.empty
    picture(view)


def test_elapsed_and_active_are_toggled_by_their_buttons(make_view: MakeView, qtbot: QtBot) -> None:
    view = make_view(small_history(2))
    assert view.tools.active.isChecked() and view.state.scale.axis.squeezed
    qtbot.mouseClick(view.tools.active, LEFT)
    assert not view.state.active and not view.state.scale.axis.squeezed
    qtbot.mouseClick(view.tools.elapsed, LEFT)
    assert view.state.mode is Mode.ELAPSED
    for button in (view.tools.fit, view.tools.closer, view.tools.wider):
        qtbot.mouseClick(button, LEFT)
        assert button.accessibleName()


def test_at_twice_the_pixels_bars_are_sharp_and_in_their_place(make_view: MakeView) -> None:
    view = make_view(small_history(1))
    pixmap = QPixmap(view.canvas.size() * 2)
    pixmap.setDevicePixelRatio(2.0)
    view.canvas.render(pixmap)
    at = (place_of(view, 3, share=0.9) + QPoint(0, 5)) * 2
    assert near(pixmap.toImage().pixelColor(at), theme.load("dark").fill("failed"))


def test_names_and_descriptions_for_screen_readers(make_view: MakeView) -> None:
    view = make_view(small_history(1))
    assert view.accessibleName() == "Timeline"
    assert view.minimap.accessibleName() == "Whole run"
    assert "4 steps" in view.selection_text()


def test_a_record_that_cannot_be_read_is_still_drawn(make_view: MakeView) -> None:
    history = small_history(1)
    history._step_records[0] = b"\xc1"
    view = make_view(history)
    picture(view)
    assert "validate_order" in view._gestures.tooltip(place_of(view, 0), view.canvas.plot)
    assert view.state.step((0, 0)).detail == "its record cannot be read"


def test_the_menu_key_asks_for_the_selected_step(make_view: MakeView, qtbot: QtBot) -> None:
    view = make_view(small_history(1))
    view.set_selected("3")
    event = QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, QPoint(), QPoint())
    with qtbot.waitSignal(view.context_requested) as told:
        QApplication.sendEvent(view, event)
    assert told.args[0] == "3"


def test_a_step_without_any_time_is_marked_and_explained(make_view: MakeView) -> None:
    steps = [
        Step(id="1", name="a", kind=StepKind.STEP, status=StepStatus.COMPLETED, start_ns=T0, end_ns=T0 + S),
        Step(id="2", name="lost", kind=StepKind.STEP, status=StepStatus.COMPLETED),
    ]
    history = History()
    history.append(BatchBuilder().build(make_run(0), [], steps))
    view = make_view(history)
    frame = view.state.frame(1.0)
    assert frame.marks.step.tolist() == [1]
    at = view.map_plot(float(frame.marks.x[0]), int(frame.marks.at[0]))
    assert "placed by order" in view._gestures.tooltip(at, view.canvas.plot)
    picture(view)
