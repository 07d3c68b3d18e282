"""Corpora on disk: one reader for each, and what the readers share."""
