"""Fuzzes the grammar with coverage as a guide: a command, no test.

    pip install atheris
    python tests/fuzz/fuzz_atheris.py -max_total_time=60

The arguments are libFuzzer's own; without a time it ends after a minute. Without a corpus
directory among them a temporary one is filled from ``sample_logs/``. Whatever comes in must be read or refused with ``BlockSyntaxError``; all
else that is raised is a finding, and libFuzzer leaves the input that caused it beside you.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "sample_logs"
SECONDS = 60
ABSENT = "atheris is not installed: pip install atheris (CPython 3.11 to 3.13 on Linux)"


def corpus() -> str:
    """A directory with every sample, and each of them in UTF-16."""
    folder = Path(tempfile.mkdtemp(prefix="diagnoser-corpus-"))
    for sample in SAMPLES.iterdir():
        if sample.suffix != ".md":
            data = sample.read_bytes()
            (folder / sample.name).write_bytes(data)
            (folder / f"{sample.name}.utf-16").write_bytes(data.decode("utf-8").encode("utf-16"))
    return str(folder)


def main() -> int:
    """Runs libFuzzer with the arguments of the command line."""
    sys.path.insert(0, str(ROOT))
    try:
        atheris = importlib.import_module("atheris")
    except ImportError:
        sys.stderr.write(f"{ABSENT}\n")
        return 2
    with atheris.instrument_imports(include=["diagnoser"]):
        grammar = importlib.import_module("diagnoser.grammar")
        errors = importlib.import_module("diagnoser.errors")
        model = importlib.import_module("diagnoser.model")
        encodings = importlib.import_module("diagnoser.reading.encodings")

    def one(data: bytes) -> None:
        text = encodings.decode(data)
        reading = grammar.read_blocks(text, "fuzz")
        assert all(block.frames for block in reading.blocks)
        for fault in (*reading.faults, grammar.explain_absence(text, "fuzz")):
            assert fault.render()
        for form in grammar.FORMS:
            with contextlib.suppress(errors.BlockSyntaxError):
                grammar.parse(model.RawBlock(form.name, text, model.Location("fuzz", 1)))

    arguments = [*sys.argv]
    if not any(a.startswith("-max_total_time") for a in arguments):
        arguments.append(f"-max_total_time={SECONDS}")
    if all(a.startswith("-") for a in arguments[1:]):
        arguments.append(corpus())
    atheris.Setup(arguments, one)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
