"""Embeddings that lie close together for pictures of one class. Importing this package costs nothing."""
