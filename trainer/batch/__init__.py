"""``batch-processing``: a model over a folder or archive of pictures. No torch is loaded."""
