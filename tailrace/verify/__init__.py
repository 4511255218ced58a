"""An independent recount of a topic, and the comparison of three accounts: the loader's, the topic's and
the views'.
"""
