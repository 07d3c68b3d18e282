"""Experiments of many runs: a base recipe, its variants, and the claims that they are to test. Data in YAML files."""
