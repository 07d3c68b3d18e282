"""Transcript files read as conversations: one reader for each format."""
