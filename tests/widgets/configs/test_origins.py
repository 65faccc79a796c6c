"""What is told about where a value comes from."""

from __future__ import annotations

from tests.fakes_configs import ACME, FILES, declared
from widgets.configs.origins import MERGED, Document, Origins, documents, short

BASE, OVER, SEEN = documents(FILES[:2], declared("acme"))
ORIGINS = Origins(declared("acme"))


def _line(document: Document, pointer: str) -> int:
    return document.places.line_of(pointer)


def test_the_merged_text_tells_the_file_of_each_value() -> None:
    assert (SEEN.name, SEEN.title) == (MERGED, "merged, as acme sees it")
    line = _line(SEEN, "/steps/4/requesters/1")
    assert ORIGINS.tell(SEEN, line, 12) == "from registration.acme.json:9 · /steps/4/requesters/1"
    assert ORIGINS.place(SEEN, line, 12) == (ACME, 9)
    assert ORIGINS.tell(SEEN, 2, 5) == "from registration.json:2 · /workflow_type"


def test_a_file_tells_what_is_in_force_and_what_is_overridden() -> None:
    overridden = _line(BASE, "/steps/4/requesters/0")
    told = ORIGINS.tell(BASE, overridden, 12)
    assert told == "for acme it is said by registration.acme.json:8 · /steps/4/requesters/0"
    assert ORIGINS.tell(BASE, 2, 5) == "in force for acme · /workflow_type"
    assert ORIGINS.place(BASE, 2, 5) is None


def test_steps_of_an_overlay_go_by_their_key() -> None:
    assert ORIGINS.tell(OVER, 8, 10) == "in force for acme · /steps/4/requesters/0"
    without = Origins(declared())
    assert (
        without.tell(OVER, 8, 10)
        == "without a tenant it is said by registration.json:69 · /steps/0/requesters/0"
    )


def test_an_object_of_both_files_makes_no_claim() -> None:
    assert ORIGINS.tell(OVER, 5, 5) == "/steps/0"


def test_one_file_needs_no_merged_text() -> None:
    assert [document.name for document in documents(FILES[:1], declared())] == [FILES[0].name]
    assert documents((), None) == ()


def test_names_are_short_but_keep_their_revision() -> None:
    assert short("/srv/app/configs/a.json") == "a.json"
    assert short("HEAD~1:configs/a.json") == "HEAD~1:a.json"
    assert short("C:\\configs\\a.json") == "a.json"


def test_broken_text_is_no_trouble() -> None:
    broken = Document("b.json", "b.json", '{"steps": [{"key": ')
    assert ORIGINS.tell(broken, 1, 14) == "/steps/0"
    assert Origins(None).tell(broken, 1, 3) == "/steps"
