"""The model: asked within a deadline and a budget, trusted with nothing."""
