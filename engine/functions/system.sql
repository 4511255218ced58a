-- What clients ask about the system.

-- An id of this cluster that stays the same, in the form of a UUID.
CREATE OR REPLACE FUNCTION pg_catalog.rw_cluster_id() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT md5(system_identifier::text)::uuid::text FROM pg_control_system()
$$;

-- Whether the stream engine is at work: it is, or the client could not ask.
CREATE OR REPLACE FUNCTION pg_catalog.rw_recovery_status() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT 'RUNNING' $$;

-- No feature of the embedded engine asks for a licence: each is available.
CREATE OR REPLACE FUNCTION pg_catalog.rw_test_feature(text) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT format('feature "%s" is available', $1) $$;
