"""Random queries over random histories: what a view holds must equal its query run as a batch."""
