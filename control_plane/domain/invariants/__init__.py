"""What must hold of the platform whatever happened to it: pure judgements, from evidence to findings.

`catalogue` names the invariants, `evidence` is what a look brings, `stores`, `histories` and
`platforms` judge it, `findings` is what comes of it.
"""
