"""What recipes and drivers are."""

from .recipe import Recipe as Recipe
