"""The Gram laboratory: a small ViT trained with and without the anchor."""
