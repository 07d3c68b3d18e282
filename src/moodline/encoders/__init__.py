"""Encoders: from text, sound and faces to vectors."""
