"""What an evaluation found, shown to people: a table for the terminal and a self-contained HTML page."""

from geniex.report.energy import energy_sentence
from geniex.report.page import write_page
from geniex.report.table import energy_table, results_table

__all__ = ["energy_sentence", "energy_table", "results_table", "write_page"]
