"""The causes of an incident, ranked by what every signal did; see `ranking`."""
