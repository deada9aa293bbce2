"""Exact tails of the predictive distributions: one file for each family."""
