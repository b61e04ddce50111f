"""Models on disk: which ones exist, how one is fetched, what a file says of itself. Imports nothing."""
