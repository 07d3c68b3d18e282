"""Answers over HTTP: conversations at once, recordings at once or as jobs that outlive the server."""
