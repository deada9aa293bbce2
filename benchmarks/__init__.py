"""Measured figures: each module has a `main(quick)` that prints a table and gives its numbers back."""
