"""`tailrace up`: start everything on this machine, show it live, account for every reading, stop without a
trace.
"""
