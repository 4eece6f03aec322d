"""One file per verb, named as people say it."""
