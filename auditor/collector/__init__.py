"""What a cache imports to report its operations; the standard library only."""
