"""Grading models and prompts on recorded incidents: what a good answer says is written beside each, and code compares."""
