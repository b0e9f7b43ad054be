"""The dock "Scans": what a folder, study or list of files holds, and the way from there into the other docks."""
