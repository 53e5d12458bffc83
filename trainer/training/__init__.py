"""What every training has in common, whatever it learns: budget, steps, checkpoints, progress, figures."""
