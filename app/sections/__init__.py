"""The parts of the page, one file each; every part is a fragment that refreshes alone.

A section reads app.feeds (shared answers) or app.queries (what belongs to one viewer), within app.border.
"""
