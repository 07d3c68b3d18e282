"""Blocks that several models share; each respects masks."""
