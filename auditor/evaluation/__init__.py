"""Grading of models and prompts on recorded incidents."""
