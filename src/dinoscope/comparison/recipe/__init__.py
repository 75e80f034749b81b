"""A whole family of models at once: every size and resolution, pair by pair."""
