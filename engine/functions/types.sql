-- Composed types: made on demand under names that `tailrace.sql.types` computes, shown under RisingWave's.

CREATE OR REPLACE FUNCTION rw.type_name(type oid) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE
        WHEN t.typsubscript = 'pg_catalog.array_subscript_handler'::regproc THEN rw.type_name(t.typelem) || '[]'
        WHEN t.typnamespace = 'rw'::regnamespace AND t.typtype = 'c' THEN 'struct<' || coalesce((
            SELECT string_agg(quote_ident(a.attname) || ' ' || rw.type_name(a.atttypid), ', ' ORDER BY a.attnum)
            FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
        ), '') || '>'
        WHEN t.typnamespace = 'rw'::regnamespace THEN coalesce((
            SELECT 'map(' || rw.type_name(p.proargtypes[1]) || ',' || rw.type_name(p.prorettype) || ')'
            FROM pg_catalog.pg_proc AS p
            WHERE p.proname = 'map_access' AND p.pronamespace = 'pg_catalog'::regnamespace AND p.proargtypes[0] = t.oid
        ), t.typname::text)
        WHEN t.typname IN ('text', 'unknown', 'bpchar', 'name') AND t.typnamespace = 'pg_catalog'::regnamespace
            THEN 'character varying'
        WHEN t.typnamespace = 'pg_catalog'::regnamespace AND t.typname = 'rw_int256' THEN 'rw_int256'
        ELSE format_type(t.oid, NULL)
    END FROM pg_catalog.pg_type AS t WHERE t.oid = type
$$;

-- What DDL calls a type that the catalog stores under PostgreSQL's name: NULL stays, an unknown name is shown as it is.
CREATE OR REPLACE FUNCTION rw.shown_type(name text) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ 
    SELECT CASE WHEN name LIKE 'vector(%' THEN name ELSE coalesce(rw.type_name(to_regtype(name)::oid), name) END $$;

-- How a struct and arrays of it become JSON: field by field by RisingWave's rules; as PostgreSQL does with more than 50 fields.
CREATE OR REPLACE FUNCTION rw.make_struct_json(name text, fields text[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    traits text := 'RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS';
    plain text := 'SELECT coalesce(pg_catalog.to_jsonb($1), ''null''::jsonb)';
BEGIN
    IF cardinality(fields) > 50 THEN
        EXECUTE format('CREATE OR REPLACE FUNCTION rw.parts_to_jsonb(%s) %s %L', name, traits, plain);
        EXECUTE format('CREATE OR REPLACE FUNCTION rw.parts_to_jsonb(%s[]) %s %L', name, traits, plain);
        RETURN;
    END IF;
    EXECUTE format('CREATE OR REPLACE FUNCTION rw.parts_to_jsonb(%s) %s %L', name, traits, format(
        'SELECT CASE WHEN $1 IS DISTINCT FROM NULL THEN jsonb_build_object(%s) ELSE ''null''::jsonb END',
        (SELECT string_agg(format('%L, rw.to_jsonb(($1).%I)', f, f), ', ' ORDER BY o) FROM unnest(fields) WITH ORDINALITY AS u (f, o))));
    EXECUTE format('CREATE OR REPLACE FUNCTION rw.parts_to_jsonb(%s[]) %s %L', name, traits,
        'SELECT CASE WHEN $1 IS NOT NULL THEN coalesce((SELECT jsonb_agg(rw.to_jsonb($1[i]) ORDER BY i) '
        'FROM generate_subscripts($1, 1) AS i), ''[]''::jsonb) ELSE ''null''::jsonb END');
END $$;

-- A composite type and the casts between it and the others of its width, field by field through their text.
CREATE OR REPLACE FUNCTION rw.make_struct(name text, fields text[], types text[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE other regtype;
BEGIN
    IF to_regtype(name) IS NOT NULL THEN RETURN; END IF;
    EXECUTE format('CREATE TYPE %s AS (%s)', name, (
        SELECT string_agg(quote_ident(f) || ' ' || t, ', ' ORDER BY o)
        FROM unnest(fields, types) WITH ORDINALITY AS u (f, t, o)
    ));
    EXECUTE format('CREATE FUNCTION rw.larger(%1$s, %1$s) RETURNS %1$s LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE '
        'AS $f$ SELECT CASE WHEN $1 >= $2 THEN $1 ELSE $2 END $f$', name);
    EXECUTE format('CREATE FUNCTION rw.smaller(%1$s, %1$s) RETURNS %1$s LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE '
        'AS $f$ SELECT CASE WHEN $1 <= $2 THEN $1 ELSE $2 END $f$', name);
    EXECUTE format('CREATE AGGREGATE pg_catalog.max(%1$s) (SFUNC = rw.larger, STYPE = %1$s)', name);
    EXECUTE format('CREATE AGGREGATE pg_catalog.min(%1$s) (SFUNC = rw.smaller, STYPE = %1$s)', name);
    PERFORM rw.make_struct_json(name, fields);
    FOR other IN
        SELECT t.oid::regtype FROM pg_catalog.pg_type AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.typrelid
        WHERE t.typnamespace = 'rw'::regnamespace AND c.relkind = 'c' AND t.oid <> to_regtype(name)
            AND c.relnatts = coalesce(cardinality(fields), 0)
    LOOP
        EXECUTE format('CREATE CAST (%s AS %s) WITH INOUT AS ASSIGNMENT', name, other);
        EXECUTE format('CREATE CAST (%s AS %s) WITH INOUT AS ASSIGNMENT', other, name);
    END LOOP;
END $$;

-- A column of type `type` as DESCRIBE lists it: composed types over several rows, one for each field.
CREATE OR REPLACE FUNCTION rw.type_rows(path text, type oid) RETURNS TABLE (shown_path text, shown_type text)
LANGUAGE plpgsql STABLE STRICT AS $$
DECLARE
    known pg_catalog.pg_type;
    part record;
BEGIN
    SELECT * INTO known FROM pg_catalog.pg_type AS t WHERE t.oid = type;
    IF known.typsubscript = 'pg_catalog.array_subscript_handler'::regproc AND rw.type_name(type) LIKE 'struct<%' THEN
        shown_path := path;
        shown_type := 'struct[]';
        RETURN NEXT;
        RETURN QUERY SELECT * FROM rw.type_rows(path || '[1]', known.typelem);
    ELSIF known.typtype = 'c' AND known.typnamespace = 'rw'::regnamespace THEN
        shown_path := path;
        shown_type := 'struct';
        RETURN NEXT;
        FOR part IN SELECT a.attname, a.atttypid FROM pg_catalog.pg_attribute AS a
            WHERE a.attrelid = known.typrelid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
        LOOP
            RETURN QUERY SELECT * FROM rw.type_rows(path || '.' || quote_ident(part.attname), part.atttypid);
        END LOOP;
    ELSE
        shown_path := path;
        shown_type := rw.type_name(type);
        RETURN NEXT;
    END IF;
END $$;
