"""Goes over a directory, an archive or a large log: files, processes, progress, Ctrl-C."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from diagnoser.cli.progress import Progress
from diagnoser.cli.scopes import Scope
from diagnoser.model import Skipped
from diagnoser.reading.sources import open_file
from diagnoser.reading.walking import walk
from diagnoser.scanning import Errand, Leftover, Settings, Survey, join, place, plan, run_all

_A_JOB = 192 << 20

Found = Survey | Skipped | Leftover


class Sweep:
    """One go. ``interrupted`` says, when it has ended, that Ctrl-C ended it."""

    def __init__(self, path: str, scope: Scope, *, quiet: bool) -> None:
        self.path, self.interrupted = path, False
        self._scope, self._quiet = scope, quiet

    def findings(self) -> Iterator[tuple[Found, str]]:
        """What every file holds, in order and with its path; line numbers are those of the file.

        Ctrl-C ends it with a ``Skipped`` that tells what is left. Raises ``InputError`` if there
        is no such path.
        """
        found = list(walk(self.path, self._scope.selection))
        yield from ((f, f.source) for f in found if isinstance(f, Skipped))
        files = [f for f in found if not isinstance(f, Skipped)]
        total = sum(f.size for f in files)
        jobs = self._scope.jobs or _jobs(total)
        errands = [e for f in files for e in plan(f.path, f.size, jobs)]
        parts: list[tuple[int, Survey]] = []
        done = errors = 0
        with Progress(total, len(errands), quiet=self._quiet) as progress:
            try:
                settings = Settings(self._scope.since)
                for errand, results in run_all(errands, settings, jobs, progress.advance):
                    done += 1
                    for result in results:
                        if isinstance(result, Survey):
                            errors += len(result.sightings)
                            self.interrupted |= result.interrupted
                        if errand.part and isinstance(result, Survey):
                            parts.append((errand.start, result))
                        else:
                            yield _placed(result, errand.path), errand.path
                    if parts and _ends_file(errands, done):
                        yield _placed(join(parts), errand.path), errand.path
                        parts = []
                    progress.tell(errors)
            except KeyboardInterrupt:
                self.interrupted = True
                if parts:
                    name = parts[0][1].name
                    yield _placed(join(parts), name), name
        if self.interrupted:
            rest = "" if done == 0 else f", nor the rest of {errands[done - 1].path}"
            reason = f"stopped by Ctrl-C: {len(errands) - done} files or parts were not read{rest}"
            yield Skipped(self.path, reason), self.path


def _ends_file(errands: list[Errand], done: int) -> bool:
    return done == len(errands) or errands[done].path != errands[done - 1].path


def _placed(found: Found, path: str) -> Found:
    if not isinstance(found, Survey) or found.counted:
        return found
    with open_file(Path(path)) as stream:
        return place(found, stream)


def _jobs(size: int) -> int:
    """Processes for so many bytes: starting one pays from some hundred megabytes on."""
    return min(4, os.cpu_count() or 1, 1 + size // _A_JOB)
