"""Open and save scans."""
