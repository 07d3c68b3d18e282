"""Training and evaluation under the protocol, and what is built of many runs."""
