"""One module per clause of a query: each turns its part of the syntax tree into operators."""
