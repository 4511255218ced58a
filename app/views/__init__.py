"""One page a file, each with a `render` function; app.main registers them.

Not called `pages`: Streamlit takes a folder of that name beside the main script for its older kind of multipage app.
"""
