"""Frozen values: no I/O, no model. The ground floor everything else stands on."""
