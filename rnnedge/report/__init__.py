"""The report of a finished run: one self-contained page, and its figures as PNGs."""

from rnnedge.report.page import write_report

__all__ = ["write_report"]
