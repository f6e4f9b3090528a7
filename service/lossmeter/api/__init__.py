"""The HTTP face of lossmeter: the only place that knows FastAPI."""
