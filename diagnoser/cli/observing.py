"""What others observed in the inputs of a run: transcripts, checks, captures and saved reports."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from diagnoser import evidence, probing
from diagnoser.errors import ExitStatus, InputError
from diagnoser.evidence import (
    Check,
    Collected,
    is_curl,
    is_transcript,
    read_checks,
    read_curls,
    read_report,
    read_transcripts,
    read_unopened,
)
from diagnoser.model import Case, Endpoint, ProbeResult, Skipped

_NO_TLS = "output of curl that tells of no connection with TLS, or of several at once"
_NO_ENDPOINT = "no connection to an Acronis endpoint in it"


class Observed:
    """Observations in the order of the inputs. ``ca_file`` holds the anchors that transcripts and
    captures are verified against; captures wait until it is known whom they are searched for."""

    def __init__(self, ca_file: Path | None) -> None:
        self._ca_file = ca_file
        self._loaded: probing.Trust | None = None
        self._probes: list[ProbeResult] = []
        self._checks: list[Check] = []
        self._cases: list[Case] = []
        self._captures: list[tuple[str, bytes | None]] = []

    def __len__(self) -> int:
        kept = len(self._cases) + len(self._captures)
        return len(self._probes) + len(self._checks) + kept

    @property
    def has_captures(self) -> bool:
        """Whether captures wait to be read."""
        return bool(self._captures)

    @property
    def _trust(self) -> probing.Trust:
        # The stores take long to load, and most inputs need none.
        if self._loaded is None:
            self._loaded = probing.Trust.load(self._ca_file)
        return self._loaded

    def keep_capture(self, name: str, data: bytes | None = None) -> None:
        """A capture to be read later: ``data``, or as a stream the file of that name."""
        self._captures.append((name, data))

    def keep_report(self, text: str, source: str) -> None:
        """The cases of a saved report."""
        self._cases += read_report(text, source)

    def observe(self, text: str, source: str, at: datetime) -> Skipped | None:
        """Everything that ``text``, which was written ``at``, shows; returns what is left out."""
        checks = read_checks(text, source)
        probes = read_unopened(checks, at)
        left = None
        if is_curl(text):
            runs = read_curls(text, source, at)
            left = None if runs else Skipped(source, _NO_TLS)
            probes = runs + probes
        if is_transcript(text):
            probes = read_transcripts(text, source, at, self._trust) + probes
        self._probes += probes
        self._checks += checks
        return left

    def read_captures(
        self, wanted: Sequence[Endpoint], *, alone: bool
    ) -> Iterator[Skipped | InputError]:
        """Searches the captures for the endpoints ``wanted``; yields what of them says nothing.

        ``alone``: the inputs hold no error, so that a capture must hold something.
        """
        for name, data in self._captures:
            try:
                found = self._read_capture(name, data, wanted)
            except InputError as error:
                yield error
            except OSError as error:
                yield InputError(f"{name}: cannot be read: {error.strerror}")
            else:
                self._probes += found
                if not found:
                    yield Skipped(name, _NO_ENDPOINT)
                    if alone and not self._probes:
                        hint = "capture while the agent fails: tcpdump -i any -w FILE"
                        status = ExitStatus.NO_ERROR_BLOCK
                        yield InputError(f"{name}: {_NO_ENDPOINT}", hint=hint, status=status)
        self._captures.clear()

    def _read_capture(
        self, name: str, data: bytes | None, wanted: Sequence[Endpoint]
    ) -> tuple[ProbeResult, ...]:
        if data is not None:
            return evidence.read_capture(io.BytesIO(data), name, self._trust, wanted)
        with Path(name).open("rb") as stream:
            return evidence.read_capture(stream, name, self._trust, wanted)

    def collected(self) -> Collected:
        """All of it."""
        return Collected(tuple(self._probes), tuple(self._checks), tuple(self._cases))
