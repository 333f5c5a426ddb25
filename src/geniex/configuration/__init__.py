"""Configuration files: the border at which names and numbers in TOML or YAML become objects."""

from geniex.configuration.fields import EvaluationConfig, TrainingConfig
from geniex.configuration.reading import read_config, template

__all__ = ["EvaluationConfig", "TrainingConfig", "read_config", "template"]
