"""Searching for settings, on dev only: spaces of settings, and Optuna's study over them."""

from moodline.search.records import Measure, measure_of
from moodline.search.space import Axis, Space, load_space, space_names
from moodline.search.study import search

__all__ = ["Axis", "Measure", "Space", "load_space", "measure_of", "search", "space_names"]
