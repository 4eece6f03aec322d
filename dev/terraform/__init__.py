"""Terraform without its registry: the program, the providers' schemas, a stand-in that serves them."""
