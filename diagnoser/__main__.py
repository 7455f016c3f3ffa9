"""``python -m diagnoser``."""

from diagnoser.cli import run

run()
