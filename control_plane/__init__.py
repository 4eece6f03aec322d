"""What all functions share: the rules (domain), the verbs (use_cases) and the outside systems (adapters)."""
