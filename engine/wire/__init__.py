"""The front door: relays PostgreSQL's protocol and takes out what plain PostgreSQL must not see."""
