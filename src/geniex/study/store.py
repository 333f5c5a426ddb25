"""Points on disk, each under the digest of all that its result depends on: none is ever computed twice."""

import json
from pathlib import Path
from typing import Any

from geniex.files import replacing

__all__ = ["PointStore"]


class PointStore:
    """Results and errors by digest, in a folder that studies share."""

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
        return self._read(key, "result")

    def error(self, key: str) -> str | None:
        """What a point failed with, the last time."""
        return self._read(key, "error")

    def put_result(self, key: str, result: dict[str, Any]) -> None:
        """Store what a point found: written beside, then renamed."""
        self._write(key, {"result": result})

    def put_error(self, key: str, error: str) -> None:
        """Store what a point failed with."""
        self._write(key, {"error": error})

    def _read(self, key: str, part: str) -> Any:
        try:
            content = json.loads((self.folder / f"{key}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return content.get(part) if isinstance(content, dict) else None

    def _write(self, key: str, content: dict[str, Any]) -> None:
        with replacing(self.folder / f"{key}.json") as beside:
            beside.write_text(json.dumps(content), encoding="utf-8")
