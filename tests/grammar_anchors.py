"""How a block is found in gigabytes: by an anchor of its form, near its top."""

from __future__ import annotations

from functools import cache

from diagnoser import catalog
from diagnoser.grammar import FORMS
from diagnoser.grammar.lexicon import spelling
from diagnoser.model import ErrorBlock

BY_NAME = {form.name: form for form in FORMS}
LABELLED = {"labelled", "flattened", "headline"}


@cache
def labels() -> tuple[str, ...]:
    return tuple(
        spelling(label)
        for row in catalog.labels()
        for label in (*row.code, *row.module, *row.line, *row.fields, *row.message)
    )


def first_anchor(block: ErrorBlock) -> int | None:
    """How many lines of the block stand above its first anchor; ``None`` if it has none."""
    form = BY_NAME[block.form]
    for index, line in enumerate(block.text.split("\n")):
        if any(anchor in line for anchor in form.anchors):
            return index
        if block.form in LABELLED and any(label in spelling(line) for label in labels()):
            return index
    return None


def is_anchored(block: ErrorBlock) -> bool:
    above = first_anchor(block)
    return above is not None and above <= BY_NAME[block.form].above
