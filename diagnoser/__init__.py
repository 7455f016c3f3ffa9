"""Diagnose why an Acronis agent fails: parse its error, probe the endpoint, judge the evidence."""

__version__ = "0.1.0"
