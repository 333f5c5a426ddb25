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
WIDE, NARROW = 1200, 400  # pixels

PROBE = """
<script>
"use strict";
window.addEventListener("load", () => setTimeout(() => {
  const page = document.documentElement;
  const beyond = [...document.querySelectorAll("main *")].filter((element) => {
    const box = element.getBoundingClientRect();
    return box.width > 0 && box.right > page.clientWidth + 1 && !element.closest(".scroll, pre, .plot, svg");
  });
  const texts = [...document.querySelectorAll("main p, main td")];
  const seen = {
    width: page.clientWidth,
    scrolled: page.scrollWidth,
    beyond: beyond.map((element) => `${element.tagName}.${element.className}`),
    plots: [...document.querySelectorAll(".plot")].map((plot) => ({
      name: plot.id,
      traces: plot.querySelectorAll(".trace, .scatterlayer path, .barlayer path, .heatmaplayer image").length,
      width: plot.getBoundingClientRect().width,
    })),
    text: Math.min(...texts.map((element) => parseFloat(getComputedStyle(element).fontSize))),
  };
  window.parent.postMessage(JSON.stringify(seen), "*");
}, 1500));
</script>
"""


FRAME = """
<!doctype html>
<body style="margin: 0">
<pre id="seen"></pre>
<script>
window.addEventListener("message", (event) => { document.getElementById("seen").textContent = event.data; });
</script>
<iframe src="NAME" style="width: WIDTHpx; height: 2000px; border: 0"></iframe>
"""
"""A window of a browser has a least width, a frame has none."""


@dataclass(frozen=True)
class Seen:
    """What the browser made of a page.

    Attributes:
        errors: lines of its console.
        width: of the window, in pixels.
        scrolled: width that can be scrolled to.
        beyond: elements that reach beyond the window and do not scroll inside of themselves.
        drawn: number of marks in each plot.
        text: smallest text, in pixels.
    """

    errors: list[str]
    width: int
    scrolled: int
    beyond: list[str]
    drawn: dict[str, int]
    text: float


def opened(page: Path, width: int, folder: Path) -> Seen:
    """Open a page in a window of some width; the test is skipped where there is no browser.

    Args:
        page: HTML file.
        width: of the window, in pixels.
        folder: for the browser's files.
    """
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    probed = folder / f"probed-{width}.html"
    text = page.read_text(encoding="utf-8")
    probed.write_text(text.replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
    frame = folder / f"frame-{width}.html"
    frame.write_text(FRAME.replace("NAME", probed.name).replace("WIDTH", str(width)), encoding="utf-8")
    done = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0",
            f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=10000", "--window-size=1300,2100",
            "--dump-dom", frame.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    found = re.search(r'<pre id="seen">(.+?)</pre>', done.stdout, re.S)
    assert found, f"{page} did not load: {done.stderr[-2000:]}"
    seen = json.loads(html.unescape(found.group(1)))
    return Seen(
        errors=[line for line in done.stderr.splitlines() if "CONSOLE" in line],
        width=seen["width"],
        scrolled=seen["scrolled"],
        beyond=seen["beyond"],
        drawn={plot["name"]: plot["traces"] for plot in seen["plots"]},
        text=seen["text"],
    )
