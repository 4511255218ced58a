-- JSON. RisingWave docs: "JSON functions and operators".

CREATE OR REPLACE FUNCTION pg_catalog.jsonb_to_array(jsonb) RETURNS jsonb[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT CASE jsonb_typeof($1) WHEN 'null' THEN NULL ELSE ARRAY(SELECT jsonb_array_elements($1)) END $$;

-- NULL becomes JSON's null; decimals are doubles in JSON, whole ones with a zero behind the point; times are in UTC.
CREATE OR REPLACE FUNCTION rw.to_jsonb(anyelement) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT coalesce(pg_catalog.to_jsonb($1), 'null'::jsonb) $$;
CREATE OR REPLACE FUNCTION rw.to_jsonb(text) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT coalesce(pg_catalog.to_jsonb($1), 'null'::jsonb) $$;
CREATE OR REPLACE FUNCTION rw.to_jsonb(double precision) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN $1 IS NULL THEN 'null'::jsonb
        WHEN $1 IN ('Infinity', '-Infinity', 'NaN') THEN pg_catalog.to_jsonb($1::text)
        WHEN $1 = trunc($1) AND abs($1) < 1e16 THEN ($1::numeric::text || '.0')::jsonb
        ELSE pg_catalog.to_jsonb($1) END
$$;
CREATE OR REPLACE FUNCTION rw.to_jsonb(real) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT rw.to_jsonb($1::double precision) $$;
CREATE OR REPLACE FUNCTION rw.to_jsonb(numeric) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT rw.to_jsonb($1::double precision) $$;
CREATE OR REPLACE FUNCTION rw.to_jsonb(timestamptz) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN $1 IS NULL THEN 'null'::jsonb
        WHEN isfinite($1) THEN to_json((to_json($1 AT TIME ZONE 'UTC') #>> '{}') || '+00:00')::jsonb
        ELSE pg_catalog.to_jsonb($1) END
$$;
CREATE OR REPLACE FUNCTION rw.to_jsonb(rw_int256) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT coalesce(pg_catalog.to_jsonb($1::text), 'null'::jsonb) $$;
DO $$
DECLARE
    kind regtype;
BEGIN
    FOREACH kind IN ARRAY '{smallint,integer,bigint,date,timestamp,time,interval}'::regtype[] LOOP
        EXECUTE format('CREATE OR REPLACE FUNCTION rw.to_jsonb(%s) RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS %L',
            kind, 'SELECT coalesce(pg_catalog.to_jsonb($1), ''null''::jsonb)');
    END LOOP;
END $$;
