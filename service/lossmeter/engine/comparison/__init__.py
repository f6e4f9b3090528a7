"""Is it worse, and why: means with their errors, differences, drift, and where a change comes from."""
