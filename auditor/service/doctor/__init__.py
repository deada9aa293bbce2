"""`auditor doctor`: each link of the chain proved, each failure with its mend."""
