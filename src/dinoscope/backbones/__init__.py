"""The only place that knows model names and weights."""
