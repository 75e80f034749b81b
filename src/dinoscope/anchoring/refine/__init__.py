"""A backbone that exists already, trained a little further against its own finer look at the photographs."""
