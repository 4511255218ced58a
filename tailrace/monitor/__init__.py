"""Watching from outside: how old the answers of the views are, measured by a reader of its own."""
