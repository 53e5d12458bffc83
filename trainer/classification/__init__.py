"""The compact classifier: network, training and export. Importing this package costs nothing."""
