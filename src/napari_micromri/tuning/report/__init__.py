"""The report of a tuning: its facts in words and as JSON, a table of its trials, and a page with plots."""
