"""What an evaluation found, shown to people: a table for the terminal and a self-contained HTML page."""

from geniex.report.page import write_page
from geniex.report.table import results_table

__all__ = ["results_table", "write_page"]
