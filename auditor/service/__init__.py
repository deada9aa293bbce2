"""The long-lived auditor: hints, leases, turns, maintenance, graceful stop."""
