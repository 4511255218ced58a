"""DDL: each statement kind is a function that changes PostgreSQL and the catalog inside the flow's transaction."""
