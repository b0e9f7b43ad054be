"""The page of an evaluation: pictures, charts, and one HTML file that holds all of it."""
