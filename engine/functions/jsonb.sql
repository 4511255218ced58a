-- JSON. RisingWave docs: "JSON functions and operators".

CREATE OR REPLACE FUNCTION pg_catalog.jsonb_to_array(jsonb) RETURNS jsonb[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT CASE jsonb_typeof($1) WHEN 'null' THEN NULL ELSE ARRAY(SELECT jsonb_array_elements($1)) END $$;

-- NULL becomes JSON's null; decimals are doubles in JSON, whole ones with a zero behind the point; times are in UTC.
-- Structs and arrays of such values have functions under another name: with this one calls could mean several.
CREATE OR REPLACE FUNCTION rw.to_jsonb(anyelement) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
    IF pg_typeof($1) = ANY ('{real[],double precision[],numeric[],timestamptz[],rw_int256[]}'::regtype[])
        OR pg_typeof($1)::text LIKE 'rw.struct\_%' THEN
        RETURN rw.parts_to_jsonb($1);
    END IF;
    RETURN coalesce(pg_catalog.to_jsonb($1), 'null'::jsonb);
END $$;
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

-- Arrays of such; arrays of arrays as PostgreSQL has them.
DO $$
DECLARE
    kind regtype;
    struct record;
BEGIN
    FOREACH kind IN ARRAY '{real,double precision,numeric,timestamptz,rw_int256}'::regtype[] LOOP
        EXECUTE format('CREATE OR REPLACE FUNCTION rw.parts_to_jsonb(%s[]) RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS %L', kind,
            'SELECT CASE WHEN $1 IS NULL THEN ''null''::jsonb WHEN array_ndims($1) > 1 THEN pg_catalog.to_jsonb($1) '
            'ELSE coalesce((SELECT jsonb_agg(rw.to_jsonb($1[i]) ORDER BY i) FROM generate_subscripts($1, 1) AS i), ''[]''::jsonb) END');
    END LOOP;
    FOR struct IN
        SELECT format_type(t.oid, NULL) AS name, array_agg(a.attname::text ORDER BY a.attnum) AS fields
        FROM pg_catalog.pg_type AS t JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE t.typnamespace = 'rw'::regnamespace AND t.typtype = 'c' GROUP BY t.oid
    LOOP
        PERFORM rw.make_struct_json(struct.name, struct.fields);
    END LOOP;
END $$;
