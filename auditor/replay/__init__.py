"""History through the same fold as live, and its reports."""
