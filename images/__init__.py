"""The container images of a store, and stand-ins for them from Debian packages."""
