"""Reports: predictions as files and tables, results as pictures."""
