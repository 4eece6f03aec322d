"""Container images: those of a store, stand-ins for them from Debian packages, and that of the functions."""
