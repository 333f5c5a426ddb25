"""The page is one file that works offline, shows the numbers, escapes what users write, and is written whole."""

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from geniex.evaluation.results import NfSample
from geniex.report import page, write_page
from geniex.report.words import headline

HOSTILE = '</script><b onclick="x">&amp;{{ 1 + 1 }}<!--'


class Outline(HTMLParser):
    """Tags with their attributes, the text outside scripts and styles, and the text of each script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.scripts, self.words, self._inside = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._inside.append(tag)
            self.scripts.append("")

    def handle_endtag(self, tag):
        if tag in ("script", "style"):
            assert self._inside.pop() == tag

    def handle_data(self, data):
        if self._inside:
            self.scripts[-1] += data
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def figures(self) -> dict:
        (source,) = [s for s in self.scripts if s.startswith('{"accuracy"')]
        return json.loads(source)


def written(evaluation, folder) -> Outline:
    write_page(evaluation, folder / "report.html")
    return Outline((folder / "report.html").read_text(encoding="utf-8"))


def test_the_page_is_one_file_that_loads_nothing(evaluation, tmp_path):
    outline = written(evaluation, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    links = [attrs[key] for _, attrs in outline.tags for key in ("src", "href", "srcset", "action") if key in attrs]
    assert links == ["data:,"]  # an empty icon, so that browsers do not ask a server for one
    assert not any("url(" in source or "@import" in source for source in outline.scripts if "--ink" in source)
    (policy,) = [attrs["content"] for tag, attrs in outline.tags if "http-equiv" in attrs and tag == "meta"]
    assert "default-src 'none'" in policy


def test_plotly_is_inside_exactly_once(evaluation, tmp_path):
    text = "\n".join(written(evaluation, tmp_path).scripts)
    assert text.count("* plotly.js v") == 1


def test_the_page_shows_the_numbers(evaluation, tmp_path):
    text = written(evaluation, tmp_path).text
    assert "geniex 53.1 % 44.5 to 61.6 \N{MINUS SIGN}17.2 61.7 % 0.300 % 0.903 s 128" in text
    assert "geniex 0.300 % 0.289 to 0.311 0.790 % 1.420 % 256 16,213" in text
    assert "digital 70.3 % 61.9 to 77.5 0.0 100.0 % \N{EN DASH} 0.0041 s 128" in text
    assert "256 reads (16,213 column currents) were drawn" in text
    for value in ("3f" * 32, repr(1e-5 / 6), "DifferentialPair", "geniex 0.1.0", "2026-03-14T09:26:53+00:00"):
        assert value in text


def test_chips_have_columns_where_there_are_several(evaluation, on_chips, tmp_path):
    text = written(on_chips, tmp_path).text
    assert "Top-1 95 % interval Chips Spread over chips, points Difference to digital, points" in text
    assert "linear 42.2 % 34.0 to 50.8 3 3.1 \N{MINUS SIGN}28.1 46.9 %" in text
    assert "geniex 53.1 % 44.5 to 61.6 20 4.0 \N{MINUS SIGN}17.2" in text
    assert "digital 70.3 % 61.9 to 77.5 \N{EN DASH} \N{EN DASH} 0.0 100.0 %" in text
    assert "Accuracies are means over chips, with standard deviations of 3.1 points (linear, 3 chips)" in text
    assert "top-1 is the mean over them" in text
    text = written(evaluation, tmp_path).text
    assert "chip" not in text.replace("a particular chip", "")


def test_columns_of_chips_are_sorted_by_their_numbers(on_chips, tmp_path):
    outline = written(on_chips, tmp_path)
    values = [float(attrs["data-value"]) for tag, attrs in outline.tags if tag == "td" and "data-value" in attrs]
    assert {3.0, 20.0, 0.03125} <= set(values)


def test_the_headline_is_made_of_whichever_models_ran(evaluation):
    assert headline(evaluation) == (
        "On 128 images, the digital network classifies 70.3 % correctly, ideal crossbars 70.3 % (0.0 points), "
        "the linear circuit 42.2 % (-28.1 points) and GENIEx 53.1 % (-17.2 points). Measured against the exact "
        "circuit, column currents are off by 0.300 % with GENIEx, 5.93 % with ideal crossbars and 8.37 % with the "
        "linear circuit (RMS, of the ideal current)."
    )
    mine = replace(evaluation.models[3], name="mine", difference=None, agreement=None, nf=None, images=1)
    assert headline(replace(evaluation, models=[mine])) == "On 1 image, mine classifies 53.1 % correctly."


def test_models_on_different_numbers_of_images_are_said_to_be(evaluation):
    models = [evaluation.models[0], replace(evaluation.models[3], images=16)]
    assert headline(replace(evaluation, models=models)).startswith("On 16 to 128 images, the digital network")


def test_digital_may_be_missing(evaluation, tmp_path):
    models = [replace(result, difference=None, agreement=None) for result in evaluation.models[1:]]
    outline = written(replace(evaluation, models=models), tmp_path)
    assert "On 128 images, ideal crossbars classify 70.3" in outline.text
    assert "ideal 70.3 % 61.9 to 77.5 \N{EN DASH} \N{EN DASH} 5.93 %" in outline.text
    assert "dotted line is the digital network" not in outline.text
    assert list(outline.figures()) == ["accuracy", "error", "nf", "predicted"]


@pytest.mark.parametrize("sample", [None, NfSample(), NfSample([0.0], [0.0], {"ideal": [0.0]})])
def test_digital_may_be_all(evaluation, tmp_path, sample):
    outline = written(replace(evaluation, models=evaluation.models[:1], sample=sample), tmp_path)
    assert list(outline.figures()) == ["accuracy"]
    assert [attrs["id"] for _, attrs in outline.tags if attrs.get("class") == "plot"] == ["plot-accuracy"]
    assert "No analog model was checked" in outline.text


def test_every_figure_has_its_place(evaluation, tmp_path):
    outline = written(evaluation, tmp_path)
    places = {attrs["id"] for _, attrs in outline.tags if attrs.get("class") == "plot"}
    assert places == {f"plot-{name}" for name in outline.figures()}


def test_text_of_users_stays_text(evaluation, tmp_path):
    sample = replace(evaluation.sample, i_model={HOSTILE: evaluation.sample.i_exact})
    odd = replace(
        evaluation,
        title=HOSTILE,
        version=HOSTILE,
        started=HOSTILE,
        provenance={HOSTILE: [HOSTILE]},
        config={HOSTILE: {"inner": HOSTILE}},
        models=[evaluation.models[0], replace(evaluation.models[3], name=HOSTILE)],
        sample=sample,
    )
    plain, hostile = written(evaluation, tmp_path), written(odd, tmp_path)
    assert not [attrs for _, attrs in hostile.tags if "onclick" in attrs]
    assert "b" not in {tag for tag, _ in hostile.tags}
    assert len(hostile.scripts) == len(plain.scripts)
    assert hostile.text.count(HOSTILE) >= 10
    legend = [trace.get("name") for trace in hostile.figures()["nf"]["data"]]
    assert not any("<" in name for name in legend)  # plotly would draw tags as markup


def test_the_page_says_how_to_repeat_the_run(evaluation, tmp_path):
    text = written(evaluation, tmp_path).text
    assert "this command made the page: geniex demo --images 128" in text
    assert "geniex evaluate --config evaluation.yaml" in text
    assert "v_max: 0.25" in text
    text = written(replace(evaluation, provenance={}), tmp_path).text
    assert "Made from Python with geniex 0.1.0" in text


def test_values_that_are_not_json_are_shown_as_text(evaluation, tmp_path):
    text = written(replace(evaluation, config={"folder": tmp_path, "pair": (1, 2), "nothing": {}}), tmp_path).text
    assert f"folder {tmp_path} pair 1, 2 nothing empty" in text


def test_a_failing_render_leaves_the_old_page(evaluation, tmp_path, monkeypatch):
    target = tmp_path / "report.html"
    target.write_text("old")
    monkeypatch.setattr(page, "headline", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_page(evaluation, target)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("report.html", "old")]


def test_a_failing_write_leaves_the_old_page_and_nothing_else(evaluation, tmp_path, monkeypatch):
    target = tmp_path / "report.html"
    target.write_text("old")

    def fail(source, destination):
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_page(evaluation, target)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("report.html", "old")]


def test_the_folder_is_made(evaluation, tmp_path):
    write_page(evaluation, tmp_path / "new" / "report.html")
    assert (tmp_path / "new" / "report.html").exists()
