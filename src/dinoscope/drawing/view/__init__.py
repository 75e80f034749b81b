"""The interactive view: what it is fed, and its modules."""
