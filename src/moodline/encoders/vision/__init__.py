"""The encoder of facial expressions."""
