"""Rivals from the tables of the papers, one file each, on the same inputs, losses and protocol as the three systems."""
