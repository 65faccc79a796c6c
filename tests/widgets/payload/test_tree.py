"""The flat tree: what opens, what it costs, what it says."""

from __future__ import annotations

from engine_bridge.payloads.tree import Opaque, hidden
from widgets.payload.tree import AUTO_ROWS, CHUNK, Row, Tree, copy_text, words_of


def shown(tree: Tree) -> list[str]:
    return [f"{row.key}: {words_of(row)[0]}" for row in tree.rows]


def test_a_small_payload_opens_whole() -> None:
    tree = Tree({"id": 7, "items": [{"sku": "a"}, None], "ok": True})
    assert shown(tree) == [
        ": {3}",
        "id: 7",
        "items: [2]",
        "0: {1}",
        'sku: "a"',
        "1: null",
        "ok: true",
    ]
    assert tree.rows[4].path == '$["items"][0]["sku"]'


def test_a_large_list_opens_in_pieces() -> None:
    tree = Tree(list(range(CHUNK * 2 + 10)))
    assert len(tree.rows) == CHUNK + 2
    more = tree.rows[-1]
    assert words_of(more)[0] == "… 510 more"
    assert tree.open(len(tree.rows) - 1) == CHUNK
    assert words_of(tree.rows[-1])[0] == "… 10 more"
    tree.open(len(tree.rows) - 1)
    assert [row.value for row in tree.rows[1:]] == list(range(CHUNK * 2 + 10))


def test_a_deep_payload_stays_short_until_opened() -> None:
    tree = Tree({str(i): {"a": {"b": i}} for i in range(AUTO_ROWS)})
    assert len(tree.rows) == AUTO_ROWS + 1
    assert tree.open(1) == 1
    assert tree.close(1) == 1
    assert tree.close(0) == AUTO_ROWS


def test_foreign_objects_are_shown_and_not_made() -> None:
    order = Opaque("shop.Order", args=(1,), kwargs={"total": 9.5}, state={"note": "x"})
    tree = Tree({"order": order, "when": Opaque("datetime.datetime", value="2026-01-02")})
    assert shown(tree)[1:] == [
        "order: shop.Order",
        "argument 0: 1",
        "total: 9.5",
        'note: "x"',
        "when: datetime.datetime(2026-01-02)",
    ]


def test_hostile_keys_and_values_become_one_plain_line() -> None:
    tree = Tree({"a\u202eb\nc": "<b>x</b>\n", "cut": hidden("12 more")})
    assert shown(tree)[1:] == ['a\\u202eb⏎c: "<b>x</b>\\n"', "cut: … 12 more"]


def test_copy_gives_strings_as_they_are_and_values_as_json() -> None:
    assert copy_text("a\nb") == "a\nb"
    assert copy_text({"a": [1, None]}) == '{\n  "a": [\n    1,\n    null\n  ]\n}'


def test_a_scalar_payload_is_one_row() -> None:
    tree = Tree("hello")
    assert shown(tree) == [': "hello"']
    assert tree.open(0) == 0
    assert not Row("", "hello", 0, "$").expandable
