"""Numbers as tables: files, papers, terminal."""
