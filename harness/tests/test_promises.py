"""The page of promises is the one that the marks of the scenarios make."""

from __future__ import annotations

from collections import Counter

from harness.tests.promises import PAGE, PROMISES, page, shown, unknown


def test_scenarios_show_sentences_that_are_promised() -> None:
    assert unknown() == [], f"write them as they stand in {PROMISES.keys()}, or add a row there"


def test_a_sentence_stands_once_and_some_are_shown() -> None:
    texts = Counter(text for row in PROMISES.values() for text in row)
    assert [text for text, count in texts.items() if count > 1] == []
    assert len({text for text, _ in shown()}) > 20


def test_the_page_is_as_it_is_printed() -> None:
    assert PAGE.read_text("utf-8") == page(), "python -m harness.tests.promises > docs/promises.md"
