"""Pages in a real browser: headless Chromium, if there is one."""

import html
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

__all__ = ["NARROW", "WIDE", "Seen", "opened"]

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WIDE, NARROW = 1200, 390  # pixels

PROBE = """
<script>
"use strict";
function sorts(table) {
  const header = table.tHead.rows[0].cells[1];
  return ["ascending", "descending"].every((direction) => {
    header.querySelector("button").click();
    const texts = [...table.tBodies[0].rows].map((row) => row.cells[1].dataset.value);
    const numbers = texts.filter((text) => text !== undefined).map(Number);
    const unknownLast = texts.slice(numbers.length).every((text) => text === undefined);
    const rises = (direction === "ascending" ? numbers : numbers.reverse()).every((x, k, all) => !k || all[k - 1] <= x);
    return unknownLast && rises && header.getAttribute("aria-sort") === direction;
  });
}

window.addEventListener("load", () => setTimeout(() => {
  const page = document.documentElement;
  const beyond = [...document.querySelectorAll("main *")].filter((element) => {
    const box = element.getBoundingClientRect();
    const scrolls = element.parentElement.closest(".scroll, pre, .plot");
    return box.width > 0 && box.right > page.clientWidth + 1 && !scrolls;
  });
  const texts = [...document.querySelectorAll("main p, main td")];
  const tables = [...document.querySelectorAll("table")].filter((table) => table.querySelector("thead button"));
  const seen = {
    width: page.clientWidth,
    scrolled: page.scrollWidth,
    beyond: beyond.map((element) => `${element.tagName}.${element.className}`),
    drawn: Object.fromEntries([...document.querySelectorAll(".plot")].map((plot) => [
      plot.id,
      plot.querySelectorAll(".trace, .scatterlayer path, .barlayer path, .heatmaplayer image").length,
    ])),
    unsorted: tables.filter((table) => !sorts(table)).map((table) => table.id),
    text: Math.min(...texts.map((element) => parseFloat(getComputedStyle(element).fontSize))),
  };
  window.parent.postMessage(seen, "*");
}, 1500));
</script>
"""

FRAMES = """
<!doctype html>
<body style="margin: 0">
<pre id="seen"></pre>
<script>
const seen = {};
window.addEventListener("message", (event) => {
  seen[event.data.width] = event.data;
  document.getElementById("seen").textContent = JSON.stringify(seen);
});
</script>
"""
FRAME = '<iframe src="probed.html" style="display: block; width: {width}px; height: 2000px; border: 0"></iframe>\n'
"""A window of a browser has a least width, a frame has none."""


@dataclass(frozen=True)
class Seen:
    """What the browser made of a page at one width.

    Attributes:
        width: of the window, in pixels.
        scrolled: width that can be scrolled to.
        beyond: elements that reach beyond the window and do not scroll inside of another one.
        drawn: number of marks in each plot.
        unsorted: tables with buttons in their heads that do not sort the second column up, then down.
        text: smallest text, in pixels.
    """

    width: int
    scrolled: int
    beyond: list[str]
    drawn: dict[str, int]
    unsorted: list[str]
    text: float


def opened(page: Path, folder: Path, widths: tuple[int, ...] = (WIDE, NARROW)) -> tuple[list[str], list[Seen]]:
    """Open a page in windows of some widths; the test is skipped where there is no browser.

    Args:
        page: HTML file.
        folder: for the browser's files.
        widths: of the windows, in pixels.

    Returns:
        lines of the browser's console; what is seen at each width.
    """
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    text = page.read_text(encoding="utf-8")
    (folder / "probed.html").write_text(text.replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
    frames = folder / "frames.html"
    frames.write_text(FRAMES + "".join(FRAME.format(width=width) for width in widths), encoding="utf-8")
    done = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr",
            "--v=0",
            f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=10000", "--window-size=1300,4200",
            "--dump-dom", frames.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    errors = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    found = re.search(r'<pre id="seen">(.+?)</pre>', done.stdout, re.DOTALL)
    assert found, f"the page said nothing within 10 s: {errors}"
    seen = json.loads(html.unescape(found.group(1)))
    return errors, [Seen(**seen[str(width)]) for width in widths]
