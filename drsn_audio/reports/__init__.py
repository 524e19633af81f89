"""run.json -> markdown, terminal tables, plots."""
