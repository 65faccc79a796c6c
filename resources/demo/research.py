"""An agent that researches a question, writes a draft, and publishes only what a person has reviewed."""

from __future__ import annotations

import asyncio
from typing import Any

from dbos import DBOS

from resources.demo import pace
from resources.demo.library import FINDINGS, SOURCES

REVISIONS = 3


@DBOS.step(name="llm.plan")
async def plan_research(question: str) -> list[str]:
    """Which sources to read."""
    await pace.work_async(1.5, 4.0)
    return pace.dice().sample(SOURCES, 3)


@DBOS.step(name="web.fetch", retries_allowed=True, max_attempts=2, interval_seconds=pace.seconds(0.5))
async def fetch_source(source: str) -> str:
    """Reads one source."""
    await pace.work_async(0.5, 4.0)
    if source == "standards.example/paywalled":
        raise PermissionError(f"{source}: 402 Payment Required")
    return f"{source}: {' '.join(pace.dice().sample(FINDINGS, 4))}"


@DBOS.step(name="llm.summarise", timeout_seconds=pace.seconds(12))
async def summarise(text: str) -> str:
    """The gist of a text; the quarterly statistics are too long to be read in time."""
    await (pace.work_async(20, 30) if text.startswith("stats.example") else pace.work_async(1.0, 6.0))
    return text[: 40 + pace.dice().randrange(80)].rsplit(" ", 1)[0] + " …"


@DBOS.step(name="llm.draft")
async def write_draft(question: str, notes: list[str], feedback: str) -> dict[str, Any]:
    """The answer so far, and what it cost."""
    await pace.work_async(3.0, 8.0)
    body = "\n\n".join([f"# {question}", *notes, *([f"(revised: {feedback})"] if feedback else [])])
    return {"text": body, "tokens": {"prompt": 40 * len(notes) + 800, "completion": len(body) // 4}}


@DBOS.step()
async def publish(question: str, draft: dict[str, Any]) -> str:
    """Puts the reviewed answer on the wiki; returns its address."""
    await pace.work_async(0.5, 1.5)
    return f"https://wiki.example/{question.lower().replace(' ', '-').rstrip('?')}"


@DBOS.workflow()
async def read_source(source: str) -> str:
    """Fetches and sums up one source; a run of its own, so that a retry does not read the others again."""
    return await summarise(await fetch_source(source))


@DBOS.workflow()
async def research(question: str, reviewer: str, patience: float) -> dict[str, Any]:
    """Plans, reads in parallel, drafts, and waits up to ``patience`` seconds for each review."""
    await DBOS.set_event_async("stage", "planning")
    sources = await plan_research(question)
    await DBOS.set_event_async("stage", "reading")
    readers = [await DBOS.start_workflow_async(read_source, source) for source in sources]
    notes = await asyncio.gather(*[reader.get_result() for reader in readers], return_exceptions=True)
    unread = [note for note in notes if isinstance(note, Exception)]
    if len(unread) > 1:
        raise ExceptionGroup(f"{len(unread)} of {len(sources)} sources could not be read", unread)

    feedback = ""
    for revision in range(1, REVISIONS + 1):
        draft = await write_draft(question, [str(note) for note in notes], feedback)
        await DBOS.write_stream_async("drafts", {"revision": revision, "text": draft["text"]})
        await DBOS.set_event_async("stage", f"waiting for {reviewer}'s review")
        review = await DBOS.recv_async("review", timeout_seconds=patience)
        if review is None:
            raise TimeoutError(f"{reviewer} did not review revision {revision} in time")
        if review["verdict"] == "publish":
            return {"url": await publish(question, draft), "revision": revision, "tokens": draft["tokens"]}
        feedback = review["comment"]
    raise RuntimeError(f"{reviewer} was not content with {REVISIONS} revisions")
