"""Reading, checking and splitting datasets. No torch here: a check must run on a bare machine."""
