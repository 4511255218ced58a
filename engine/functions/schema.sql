-- Where functions stand whose names and arguments PostgreSQL has with another meaning.
CREATE SCHEMA IF NOT EXISTS rw;
GRANT USAGE ON SCHEMA rw TO PUBLIC;
