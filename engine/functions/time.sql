-- Dates and times. RisingWave docs: "Date and time functions and operators".

-- The time of the statement; in a view, of the barrier (see the compiler).
CREATE OR REPLACE FUNCTION pg_catalog.proctime() RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT now() $$;
