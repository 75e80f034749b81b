"""The live page of a comparison."""
