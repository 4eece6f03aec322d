"""The image of the functions, run as Cloud Run would run it."""
