"""The parameters of every workflow: one table each, parsed and range-checked once.

AI Core hands every parameter over as a string. Names and defaults are those of sap-computer-vision-package
1.1.7; where a default differs, the module of the workflow says why. Standard library only.
"""
