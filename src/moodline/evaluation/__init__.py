"""Metrics, calibration, confidence intervals, paired tests and result files."""
