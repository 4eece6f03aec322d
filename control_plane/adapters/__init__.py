"""One file per outside system; the only place where its client is imported."""
