"""A real cache under load with a fault in it, watched by the real service."""
