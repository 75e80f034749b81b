"""The page of retrieval scores."""
