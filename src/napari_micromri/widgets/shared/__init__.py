"""What several docks are made of. Docks import from here, never from one another."""
