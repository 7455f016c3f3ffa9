"""What a terminal shows while it waits for a paste: what to paste, and which key ends it."""

from __future__ import annotations

import os

from diagnoser.cli import say
from diagnoser.reports.wording import words_for

_LANGUAGE_VARIABLES = ("DIAGNOSER_LANG", "LC_ALL", "LC_MESSAGES", "LANG")


def greet(language: str) -> None:
    """The prompt on stderr, in ``language`` or, for ``auto``, in that of the environment."""
    if language == "auto":
        language = language_of_environment()
    phrases = words_for(language).phrases
    key = "Ctrl-Z, Enter" if os.name == "nt" else "Ctrl-D"
    for line in phrases["greeting"].format(key=key).splitlines():
        say(line)


def language_of_environment() -> str:
    """The language that the environment asks for; English if it asks for none."""
    for name in _LANGUAGE_VARIABLES:
        if value := os.environ.get(name):
            return value[:2].lower()
    return "en"
