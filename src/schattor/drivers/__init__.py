"""Drivers: what sets hyperparameters of a recipe before every step, from what the steps are given."""
