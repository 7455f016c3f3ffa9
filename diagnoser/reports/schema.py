"""The JSON Schema (2020-12) of the report, made from the description that writes the report."""

from __future__ import annotations

import json

from diagnoser.reports.document import DOCUMENT
from diagnoser.reports.shapes import Definitions, Json


def render() -> str:
    """The schema as one JSON object."""
    definitions: Definitions = {}
    reference = DOCUMENT.describe(definitions)
    schema: Json = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "diagnoser report",
        **reference,
        "$defs": dict(sorted(definitions.items())),
    }
    return json.dumps(schema, ensure_ascii=False, indent=2) + "\n"
