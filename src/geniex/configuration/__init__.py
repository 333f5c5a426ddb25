"""Configuration files: the border at which names and numbers in TOML or YAML become objects."""

from geniex.configuration.evaluation import EvaluationConfig
from geniex.configuration.reading import read_config, template
from geniex.configuration.training import TrainingConfig

__all__ = ["EvaluationConfig", "TrainingConfig", "read_config", "template"]
