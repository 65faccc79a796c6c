"""The HTML report: whole, well-formed, self-contained, and nothing foreign in it but text."""

from __future__ import annotations

import itertools
import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.entity_state.tools import EntityConfigs
from tests.engines.entity_state.tools.conftest import SIMPLE, Folder, changed, renamed, without

VOID = {"meta", "br"}


class Page(HTMLParser):
    """The elements and texts of a page; every tag must be closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style",):
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def page(folder: Folder, *configs: dict[str, Any] | str, **options: Any) -> Page:
    return Page(EntityConfigs().html(folder.lint(*configs, **options)))


def test_a_page_tells_everything(folder: Folder) -> None:
    found = page(folder, SIMPLE, without(changed(SIMPLE, workflow_type="return"), "", "close"))
    text = found.text
    assert "order, return" in text and "2 errors, 0 warnings." in text
    assert "no step leads away from “shipped”, and it is not terminal" in text
    assert "Shortest, 1 step: new → failed ✕" in text
    assert "Only an admin can skip: checked → shipped" in text
    assert "claim: status: shipping · ttl_s: 60 · release: checked" in text
    assert "rejected: failed" in text
    assert re.search(r"[0-9a-f]{64}", text)


def test_a_clean_config_says_so(folder: Folder) -> None:
    text = page(folder, SIMPLE).text
    assert "✓ No findings." in text and "Findings" not in text.replace("No findings", "")


def test_where_values_come_from_is_told_for_an_overlay(folder: Folder) -> None:
    overlay = {"workflow_type": "order", "tenant": "acme", "owning_module": "other"}
    assert "Where each value comes from" not in page(folder, SIMPLE).text
    text = page(folder, SIMPLE, overlay).text
    assert "order (acme)" in text
    assert f"/owning_module {folder.path / '1.json'}:4" in text


def test_the_same_configs_give_the_same_page(folder: Folder) -> None:
    tools = EntityConfigs()
    assert tools.html(folder.lint(SIMPLE)) == tools.html(folder.lint(SIMPLE))


def test_nothing_is_loaded_and_nothing_runs(folder: Folder) -> None:
    html = EntityConfigs().html(folder.lint(SIMPLE))
    found = Page(html)
    names = {tag for tag, _ in found.tags}
    assert names.isdisjoint(
        {"script", "link", "img", "iframe", "object", "embed", "base", "form", "a", "image", "use"}
    )
    attributes = {name for _, attrs in found.tags for name in attrs}
    assert not any(name.startswith("on") or name in ("src", "href", "style", "srcset") for name in attributes)
    assert "http://" not in html and "https://" not in html and "@import" not in html
    assert set(re.findall(r"url\(([^)]*)\)", html)) == {"#tip"}
    policy = next(attrs["content"] for tag, attrs in found.tags if attrs.get("http-equiv"))
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"
    assert "prefers-color-scheme:dark" in html


HOSTILE = '</style><script>alert(1)</script><img src=x onerror="x">&\'\x1b[31m'


def test_foreign_text_stays_text(folder: Folder) -> None:
    config = renamed(renamed(renamed(SIMPLE, "shipped", HOSTILE), "close", "<b>k</b>"), "order", HOSTILE)
    report = folder.lint(config, "{ <script>", counts={(HOSTILE, ""): {'<img src="y">': 1}})
    html = EntityConfigs().html(report)
    found = Page(html)
    assert {"script", "img", "b"} & {tag for tag, _ in found.tags} == {"b"}  # the glyph of the verdict
    assert sum(tag == "b" for tag, _ in found.tags) == 1
    assert "\x1b" not in html
    assert "<script>alert(1)</script>" in found.text and '<img src="y">' in found.text


@pytest.mark.parametrize("count", [1, 3, 40])
def test_the_picture_is_well_formed_and_inside_its_frame(folder: Folder, count: int) -> None:
    names = [f"s{i}" for i in range(count)] + ["end"]
    steps = [
        {"key": f"k{i}", "status": a, "requesters": ["user"], "successful_state": b}
        for i, (a, b) in enumerate(itertools.pairwise(names))
    ]
    back = [
        {"key": f"b{i}", "status": a, "requesters": ["admin"], "successful_state": names[0]}
        for i, a in enumerate(names[1:-1])
    ]
    config = changed(
        SIMPLE, status_types=names, initial="s0", terminal={"good": ["end"], "bad": []}, steps=steps + back
    )
    html = EntityConfigs().html(folder.lint(config))
    (svg,) = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    tree = ElementTree.fromstring(svg)
    width, height = float(tree.attrib["width"]), float(tree.attrib["height"])
    boxes = list(tree.iter("rect"))
    assert len(boxes) == count + 1
    rows = {(float(b.attrib["x"]), float(b.attrib["y"])) for b in boxes}
    assert len(rows) == len(boxes)
    for box in boxes:
        assert float(box.attrib["x"]) >= 0 and float(box.attrib["x"]) + float(box.attrib["width"]) <= width
    numbers = [
        float(n) for path in tree.find("g").iter("path") for n in re.findall(r"-?\d+", path.attrib["d"])
    ]  # type: ignore[union-attr]
    assert min(numbers) >= 0 and max(numbers) <= max(width, height)


def test_no_picture_of_hundreds_of_statuses(folder: Folder) -> None:
    names = [f"s{i}" for i in range(200)]
    steps = [
        {"key": f"k{i}", "status": a, "requesters": ["user"], "successful_state": b}
        for i, (a, b) in enumerate(itertools.pairwise(names))
    ]
    config = changed(
        SIMPLE, status_types=names, initial="s0", terminal={"good": ["s199"], "bad": []}, steps=steps
    )
    assert "<svg" not in EntityConfigs().html(folder.lint(config))


def test_a_report_of_nothing_usable(folder: Folder) -> None:
    report = EntityConfigs().lint(("/nowhere/\udce9.json",), CancelToken())
    html = EntityConfigs().html(report)
    assert "no usable config" in Page(html).text
    html.encode("utf-8")
