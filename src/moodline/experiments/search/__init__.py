"""Searching for settings, on dev only: spaces of settings, and Optuna's study over them."""

from moodline.experiments.search.run import search
from moodline.experiments.search.space import Axis, Space, load_space, space_names

__all__ = ["Axis", "Space", "load_space", "search", "space_names"]
