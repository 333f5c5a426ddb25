"""The examples run as users run them; the README shows the first one as it is."""

import subprocess
import sys
from pathlib import Path

import pytest

from geniex import configuration

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(path, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", path], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_readme_shows_the_quickstart_as_it_is():
    shown = (ROOT / "README.md").read_text().split("```python\n")[1].split("```")[0]
    code = (ROOT / "examples" / "quickstart.py").read_text().split('"""\n\n', 1)[1]
    assert shown.strip() == code.strip()


@pytest.mark.parametrize(
    ("name", "kind"), [("evaluate", configuration.EvaluationConfig), ("train", configuration.TrainingConfig)]
)
def test_the_reference_of_configuration_files_is_current(name, kind):
    """`make docs` writes it anew."""
    assert (ROOT / "docs" / f"{name}.toml").read_text() == configuration.template(kind)


@pytest.mark.parametrize("path", sorted((ROOT / "studies" / "emulators").glob("*.toml")), ids=lambda path: path.stem)
def test_the_recipes_of_shipped_emulators_are_valid(path):
    configuration.read_config(path, configuration.TrainingConfig)
