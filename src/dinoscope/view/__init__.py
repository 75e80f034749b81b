"""The live page of photographs, or of a store."""
