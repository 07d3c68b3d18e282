"""Searching for settings, on dev only: spaces of settings, and Optuna's study over them."""

from moodline.search.space import Axis, Space, load_space, space_names
from moodline.search.study import search

__all__ = ["Axis", "Space", "load_space", "search", "space_names"]
