"""The report: one page that holds everything, opens without a network, and can be read, heard and printed."""

from moodline.report.html.page import write_html

__all__ = ["write_html"]
