"""The rings of tests; `python -m tests.rings` runs them."""
