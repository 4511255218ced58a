"""One page a file, each with a `render` function; app.main registers them."""
