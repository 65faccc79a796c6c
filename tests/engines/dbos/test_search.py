"""Search in decoded payloads: everything that a decoded view shows is found, whatever the shortcut."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import pytest

from engine_bridge.cancel import CancelToken
from engine_bridge.engines.dbos.search import _surely_absent
from engine_bridge.errors import CancelledError, UsageError
from engine_bridge.payloads import decode
from engine_bridge.sqlite_library import sqlite3
from tests.engines.dbos.databases import Open, unpacked

NEVER = CancelToken()
QUERY = """
SELECT i.inputs FROM workflow_input i JOIN workflow_status s USING (workflow_uuid) WHERE s.serialization = 'py_pickle'
UNION SELECT output FROM operation_outputs WHERE serialization = 'py_pickle' AND output IS NOT NULL
UNION SELECT error FROM operation_outputs WHERE serialization = 'py_pickle' AND error IS NOT NULL
"""


def test_the_shortcut_loses_no_word_that_is_shown(tmp_path: Path) -> None:
    with closing(sqlite3.connect(unpacked("orders", tmp_path))) as client:
        payloads = [row[0].encode() for row in client.execute(QUERY)]
    assert len(payloads) > 300
    skipped = 0
    for payload in payloads:
        shown = decode(payload, "py_pickle").text.casefold()
        for word in set(re.findall(r"[a-z]{3,}", shown)):
            for part in {word, word[:3], word[-4:], word[1:5]}:
                assert not _surely_absent(payload, "py_pickle", part), (part, shown)
        skipped += _surely_absent(payload, "py_pickle", "zebra")
    assert skipped == len(payloads)


@pytest.mark.parametrize("data", [b"hello", b"abcd", b"", b"!!", b"gASV"])
def test_what_is_no_pickle_is_decoded_before_it_is_passed_over(data: bytes) -> None:
    for word in ("hello", "abcd"):
        assert not (word.encode() in data and _surely_absent(data, "py_pickle", word))


def test_findings_name_their_place(made_sqlite: Path, open_bridge: Open) -> None:
    bridge = open_bridge(made_sqlite)
    hits = list(bridge.search("INSUFFICIENT", "all", 100, NEVER))
    assert {(hit.ref.run, hit.where) for hit in hits} >= {
        ("order-001", "error"),
        ("order-001", "error of step 4 charge"),
    }
    assert all("insufficient funds" in hit.excerpt for hit in hits)
    assert {hit.where for hit in bridge.search("sku1", "inputs", 100, NEVER)} == {"input"}
    assert len(list(bridge.search("sku1", "inputs", 2, NEVER))) == 2
    assert list(bridge.search("", "all", 5, NEVER)) == []
    with pytest.raises(UsageError, match="no search scope"):
        bridge.search("x", "everything", 5, NEVER)


def test_a_search_can_be_cancelled(made_sqlite: Path, open_bridge: Open) -> None:
    token = CancelToken()
    hits = open_bridge(made_sqlite).search("order", "all", 100, token)
    next(hits)
    token.cancel()
    with pytest.raises(CancelledError):
        list(hits)
