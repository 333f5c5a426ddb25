"""Points on disk, each under the digest of all that its result depends on: none is ever computed twice."""

import hashlib
import json
import re
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

from geniex.files import replacing

__all__ = ["PointStore"]

OPENING, HEAD = re.compile(r'\{"version": "([^"]*)"'), 64  # of an entry, which can be long; characters


class PointStore:
    """Results and errors by digest, in a folder that studies share.

    What is damaged, or of another version of geniex, is as good as not there. Entries without a checksum, as older ones
    are, are taken if they have the parts of a result.
    """

    def __init__(self, folder: Path) -> None:
        """Keep results in `folder`, made when the first one comes."""
        self.folder = folder

    @property
    def batches(self) -> Path:
        """Folder for the results of batches, so that a killed point goes on where it was."""
        return self.folder / "batches"

    @property
    def emulators(self) -> Path:
        """Folder for emulators that points trained."""
        return self.folder / "emulators"

    def result(self, key: str) -> dict[str, Any] | None:
        """What a point found, if it is there and whole."""
        found = self._read(key, "result")
        if not isinstance(found, dict) or found.get("version") != version("geniex"):
            return None
        if not {"models", "energy"} <= found.keys() or any("against" not in model for model in found["models"]):
            return None  # of an older geniex
        return found

    def error(self, key: str) -> str | None:
        """What a point failed with, the last time."""
        found = self._read(key, "error")
        return found if isinstance(found, str) else None

    def of_other_versions(self) -> Counter[str]:
        """How many results and errors other versions of geniex left, by version."""
        found: Counter[str] = Counter()
        for path in self.folder.glob("*.json"):
            with path.open(encoding="utf-8", errors="replace") as file:
                version_of = OPENING.match(file.read(HEAD))
            if version_of is not None and version_of[1] != version("geniex"):
                found[version_of[1]] += 1
        return found

    def put_result(self, key: str, result: dict[str, Any]) -> None:
        """Store what a point found: written beside, then renamed."""
        self._write(key, "result", result)

    def put_error(self, key: str, error: str) -> None:
        """Store what a point failed with."""
        self._write(key, "error", error)

    def _read(self, key: str, part: str) -> Any:
        try:
            content = json.loads((self.folder / f"{key}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if not isinstance(content, dict) or part not in content:
            return None
        whole = content.get("checksum", None) in (None, _checksum(key, content[part]))
        return content[part] if whole and content.get("version", version("geniex")) == version("geniex") else None

    def _write(self, key: str, part: str, value: Any) -> None:
        content = {"version": version("geniex"), "checksum": _checksum(key, value), part: value}
        with replacing(self.folder / f"{key}.json") as beside:
            beside.write_text(json.dumps(content), encoding="utf-8")


def _checksum(key: str, value: Any) -> str:
    return hashlib.sha256(f"{key} {json.dumps(value)}".encode()).hexdigest()
