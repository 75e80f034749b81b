"""How every metric answers to planted causes: expected against measured. `python -m validation` writes it."""
