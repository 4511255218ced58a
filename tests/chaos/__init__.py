"""Chaos: a seeded schedule of disturbances against the whole stack under load, and the account after it. See docs/chaos.md."""
