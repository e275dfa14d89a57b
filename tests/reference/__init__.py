"""Slow, literal versions of the formulas that the package implements.

Nothing here imports the package. Every function follows its formula line by line, in float64, in extended
precision or in mpmath, so that the tests compare two independent programs.
"""
