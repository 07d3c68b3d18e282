"""What every other folder uses: conversations, labels, predictions, batches, settings, errors, files."""
