"""Design studies: one network on many crossbars, each point computed once and kept."""

from geniex.study.description import Axis, Range, StudyConfig
from geniex.study.frame import frame, write_frame
from geniex.study.page import page_of, write_page
from geniex.study.points import Point, points_of
from geniex.study.run import Outcome, Subject, outcomes, run_study
from geniex.study.store import PointStore

__all__ = [
    "Axis",
    "Outcome",
    "Point",
    "PointStore",
    "Range",
    "StudyConfig",
    "Subject",
    "frame",
    "outcomes",
    "page_of",
    "points_of",
    "run_study",
    "write_frame",
    "write_page",
]
