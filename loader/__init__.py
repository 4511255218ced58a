"""Simulates fleets of devices, and knows the truth about the faults it injects.

``python -m loader --help`` explains the command; ``docs/loader.md`` the model. ``loader.fleet.Fleet`` is what
``tailrace up`` seeds the registry tables from. Nothing here knows which broker or engine is behind the URL.
"""
