"use strict";

const PRINTED_WIDTH = 680; // pixels between the margins of a sheet of A4
const PRINTED_SMALL = { width: 328, height: 270 }; // two in a row, three rows on a sheet
const plots = [];

function draw(name, figure) {
  const place = document.getElementById(`plot-${name}`);
  const coarse = window.matchMedia("(pointer: coarse)").matches;
  if (coarse) figure.layout.dragmode = false; // a finger on the plot scrolls the page
  Plotly.newPlot(place, figure.data, figure.layout, { responsive: true, displayModeBar: false });
  place.dataset.height = figure.layout.height;
  plots.push(place);
}

function compareCells(a, b, direction) {
  const [x, y] = [a, b].map((cell) => cell.dataset.value);
  if (a.tagName === "TH") return direction * a.textContent.localeCompare(b.textContent);
  if (x === undefined || y === undefined) return (x === undefined) - (y === undefined);
  return direction * (Number(x) - Number(y));
}

function sortBy(header) {
  const table = header.closest("table");
  const descending = header.getAttribute("aria-sort") === "ascending";
  for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const column = header.cellIndex;
  const rows = [...table.tBodies[0].rows];
  rows.sort((a, b) => compareCells(a.cells[column], b.cells[column], descending ? -1 : 1));
  table.tBodies[0].append(...rows);
}

for (const [name, figure] of Object.entries(JSON.parse(document.getElementById("figures").textContent))) {
  draw(name, figure);
}
for (const button of document.querySelectorAll("button[data-save]")) {
  const name = button.dataset.save;
  const options = { format: "png", scale: 2, filename: `geniex-${name}` };
  button.addEventListener("click", () => Plotly.downloadImage(document.getElementById(`plot-${name}`), options));
}
for (const button of document.querySelectorAll("thead button")) {
  button.addEventListener("click", () => sortBy(button.closest("th")));
}
function resize(place, size) {
  Plotly.relayout(place, size);
  Plotly.redraw(place); // a legend of fewer rows leaves marks cut off until then
}

window.addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details.sheet")) details.open = true;
  for (const place of plots) resize(place, place.closest(".multiples") ? PRINTED_SMALL : { width: PRINTED_WIDTH });
});
window.addEventListener("afterprint", () => {
  for (const place of plots) resize(place, { width: null, height: Number(place.dataset.height), autosize: true });
});
