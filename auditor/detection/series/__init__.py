"""Any regular series: what each point should have been, and how strange it is."""
