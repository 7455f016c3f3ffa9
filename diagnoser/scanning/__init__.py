"""Reads logs of any size: locates islands, parses what is new, counts what repeats.

What a scan knows of one text is a :class:`Survey`; it travels between processes, and the surveys
of the parts of one large text are joined in their order.
"""

from diagnoser.scanning.bounds import Bound
from diagnoser.scanning.errands import Errand, Leftover, Settings, plan, run, unpack
from diagnoser.scanning.placing import drop_headlines, join, place
from diagnoser.scanning.pool import run_all
from diagnoser.scanning.surroundings import build_of, notice, notice_marks
from diagnoser.scanning.surveying import Survey

__all__ = [
    "Bound",
    "Errand",
    "Leftover",
    "Settings",
    "Survey",
    "build_of",
    "drop_headlines",
    "join",
    "notice",
    "notice_marks",
    "place",
    "plan",
    "run",
    "run_all",
    "unpack",
]
