"""The spec language: models, reading with positions, reference checks, resolution."""
