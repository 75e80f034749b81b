"""A question in, a result out."""
