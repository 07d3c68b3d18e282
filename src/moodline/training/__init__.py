"""One training loop, its data, and calibration; nothing here has a parameter for test data."""
