"""``model-serving``: models behind HTTP, in the words of the CV package's server. No torch is loaded."""
