"""Checks annotations at run time, shapes among them; whole numbers pass for floats, as for type checkers."""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
