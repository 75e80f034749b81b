"""One file for each family of `transformers`: where its trunk is, and how it is read."""
