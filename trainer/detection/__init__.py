"""The compact detector: network, training, export and prediction.

Importing this package costs nothing; the modules that need torch import it themselves, and
``trainer.detection.predict`` runs on ONNX Runtime alone.
"""
