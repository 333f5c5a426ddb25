"""The examples run as users run them; the README shows the first one as it is."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from geniex import configuration
from geniex.study import StudyConfig

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
CHECKED = ("fine_tune", "noisy_chips")  # by tests of their own


def output(name, folder):
    path = ROOT / "examples" / f"{name}.py"
    done = subprocess.run(
        [sys.executable, "-W", "error", path], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", [path.stem for path in EXAMPLES if path.stem not in CHECKED])
def test_example_runs(name, tmp_path):
    assert output(name, tmp_path)


def test_fine_tuning_on_crossbars_gains_what_digital_training_does_not(tmp_path):
    """It gains 19 points; 3 are two standard deviations of 1000 images of which 80 % are right."""
    shares = map(float, re.findall(r"([\d.]+) % of 1000 unseen", output("fine_tune", tmp_path)))
    digital, before, after, without = shares
    assert before + 8 < after < digital
    assert without < before + 3


def test_chips_with_errors_of_cells_spread(tmp_path):
    lines = output("noisy_chips", tmp_path).splitlines()
    assert [line.split()[0] for line in lines] == ["digital", "alike", "10", "30"]
    assert ["+-" in line for line in lines] == [False, False, True, True]


def test_the_readme_shows_the_quickstart_as_it_is():
    shown = (ROOT / "README.md").read_text().split("```python\n")[1].split("```")[0]
    code = (ROOT / "examples" / "quickstart.py").read_text().split('"""\n\n', 1)[1]
    assert shown.strip() == code.strip()


@pytest.mark.parametrize(
    ("name", "kind"),
    [("evaluate", configuration.EvaluationConfig), ("train", configuration.TrainingConfig), ("study", StudyConfig)],
)
def test_the_reference_of_configuration_files_is_current(name, kind):
    """`make docs` writes it anew."""
    assert (ROOT / "docs" / f"{name}.toml").read_text() == configuration.template(kind)


@pytest.mark.parametrize("path", sorted((ROOT / "studies" / "emulators").glob("*.toml")), ids=lambda path: path.stem)
def test_the_recipes_of_shipped_emulators_are_valid(path):
    configuration.read_config(path, configuration.TrainingConfig)
