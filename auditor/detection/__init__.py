"""What is normal, what is not, and why: pure functions of windows and state."""
