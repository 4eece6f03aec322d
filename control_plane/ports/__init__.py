"""What the use cases need from the outside, as Protocols. The adapters are what they get.

Every method of a database port is one transaction: whatever changes a row writes its
audit entry, and its outbox row where there is something to announce, in the same one.
"""
