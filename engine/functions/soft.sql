-- Functions that views call: NULL where the function itself fails on a value, as RisingWave's streams have it. Costs about
-- a microsecond a call; casts, divisions and domains are guarded inline instead (`engine.compile.expressions`).
DO $$
DECLARE
    called record;
    names constant text[] := '{chr,convert_to,date_bin,decode,encode,format,get_bit,get_byte,hmac,inet_aton,int8recv,jsonb_object,
        jsonb_path_exists,jsonb_path_match,jsonb_path_query_array,jsonb_path_query_first,jsonb_set,jsonb_to_array,left,lpad,overlay,
        regexp_count,regexp_match,regexp_replace,regexp_split_to_array,repeat,rpad,set_bit,set_byte,split_part,substr,to_char,to_date,
        to_timestamp,trim_array}';
    own constant text[] := '{exp,make_date,make_time,make_timestamp,make_timestamptz,pow,power}';
BEGIN
    FOR called IN
        SELECT p.proname AS name, p.pronamespace::regnamespace::text AS schema, p.pronargs AS count, p.provariadic AS variadic,
            pg_get_function_result(p.oid) AS result, p.proisstrict AS is_strict, p.provolatile AS volatile,
            (SELECT string_agg(CASE WHEN p.provariadic <> 0 AND i = p.pronargs THEN 'VARIADIC ' ELSE '' END || format_type(a, NULL)
                || CASE WHEN i > p.pronargs - p.pronargdefaults
                    THEN coalesce(' DEFAULT ' || pg_get_function_arg_default(p.oid, i::integer), '') ELSE '' END, ', ' ORDER BY i)
             FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS u (a, i)) AS arguments,
            (SELECT string_agg(CASE WHEN p.provariadic <> 0 AND i = p.pronargs THEN 'VARIADIC ' ELSE '' END || '$' || i, ', ')
             FROM generate_series(1, p.pronargs) AS i) AS passed
        FROM pg_proc AS p WHERE p.prokind = 'f' AND NOT p.proretset AND (
            (p.pronamespace = 'pg_catalog'::regnamespace AND p.proname = ANY (names))
            OR (p.pronamespace = 'rw'::regnamespace AND p.proname = ANY (own)))
            AND NOT (p.proargtypes::oid[] && ARRAY['"any"'::regtype, 'internal'::regtype]::oid[])
    LOOP
        EXECUTE format('CREATE OR REPLACE FUNCTION rw.%I(%s) RETURNS %s LANGUAGE plpgsql %s %s PARALLEL SAFE AS %L',
            'try_' || called.name, called.arguments, called.result,
            CASE called.volatile WHEN 'i' THEN 'IMMUTABLE' WHEN 's' THEN 'STABLE' ELSE 'VOLATILE' END,
            CASE WHEN called.is_strict THEN 'STRICT' ELSE '' END,
            format('BEGIN RETURN %s.%I(%s); EXCEPTION WHEN data_exception OR feature_not_supported THEN RETURN NULL; END',
                called.schema, called.name, called.passed));
    END LOOP;
END $$;

-- Casts in queries that are run as a whole (engine/compile/soft_blocks.py): NULL where the value has no such form.
DO $$
DECLARE
    target text;
    suffix text;
BEGIN
    FOREACH target IN ARRAY '{smallint,integer,bigint,numeric,real,double precision,boolean,date,time without time zone,
        timestamp without time zone,timestamp with time zone,interval,jsonb,bytea}'::text[]
    LOOP
        FOREACH suffix IN ARRAY '{"",[]}'::text[]
        LOOP
            EXECUTE format('CREATE OR REPLACE FUNCTION rw.%I(value anyelement) RETURNS %s LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE AS %L',
                'try_to_' || replace(target, ' ', '_') || CASE suffix WHEN '' THEN '' ELSE '_array' END, target || suffix,
                format('BEGIN RETURN CAST(value AS %s); EXCEPTION WHEN data_exception THEN RETURN NULL; END', target || suffix));
        END LOOP;
    END LOOP;
END $$;

-- An array of arrays from their texts: NULL where they are NULL or of different lengths, which PostgreSQL has no array for.
CREATE OR REPLACE FUNCTION rw.try_arrays(texts text[], kind anyarray) RETURNS anyarray
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE made kind%TYPE;
BEGIN
    IF texts IS NULL THEN RETURN NULL; END IF;
    EXECUTE format('SELECT ARRAY(SELECT t::%s FROM unnest($1) WITH ORDINALITY AS u (t, o) ORDER BY o)', pg_typeof(kind))
        INTO made USING texts;
    RETURN made;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
    RETURN NULL;
END $$;
