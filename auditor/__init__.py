"""Audits the one-minute windows of caches: finds what is abnormal, ranks why, and writes it down once."""
