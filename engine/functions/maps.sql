-- MAP(k, v). A map is kept as the text that RisingWave shows, {key:value,...}, in the order in which it was made; strings that
-- would be ambiguous stand in double quotes. Each map type has functions of its own, which rw.make_map makes.

-- One key or value as it stands in a map's text.
CREATE OR REPLACE FUNCTION rw.map_quote(value text, is_text boolean) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN value IS NULL THEN 'NULL'
        WHEN CASE WHEN is_text THEN value ~ '[{}(),:"\\]|^\s|\s$' OR value = '' OR upper(value) = 'NULL' ELSE value ~ '^["[]' END
            THEN '"' || regexp_replace(value, '(["\\])', '\\\1', 'g') || '"'
        ELSE value
    END
$$;

CREATE OR REPLACE FUNCTION rw.map_unquote(piece text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN piece LIKE '"%' THEN regexp_replace(substr(piece, 2, length(piece) - 2), '\\(.)', '\1', 'g')
        ELSE nullif(piece, 'NULL')
    END
$$;

-- Keys and values of a map's text, as texts. Linear in its length; without nested or quoted values no loop of ours runs.
CREATE OR REPLACE FUNCTION rw.map_parse(map text, OUT keys text[], OUT vals text[])
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    body text := substr(map, 2, length(map) - 2);
    size integer := length(body);
    chars text[];
    at integer := 1;
    start integer := 1;
    colon integer := 0;
    depth integer := 0;
    quoted boolean := false;
BEGIN
    keys := '{}';
    vals := '{}';
    IF size = 0 OR map IS NULL THEN RETURN; END IF;
    IF body !~ '["(){}]' THEN
        SELECT array_agg(rw.map_unquote(split_part(p, ':', 1)) ORDER BY o),
            array_agg(rw.map_unquote(substr(p, strpos(p, ':') + 1)) ORDER BY o)
        INTO keys, vals FROM string_to_table(body, ',') WITH ORDINALITY AS pieces (p, o);
        RETURN;
    END IF;
    chars := string_to_array(body, NULL);
    WHILE at <= size + 1 LOOP
        IF at = size + 1 OR (chars[at] = ',' AND depth = 0 AND NOT quoted) THEN
            keys := keys || rw.map_unquote(substr(body, start, colon - start));
            vals := vals || rw.map_unquote(substr(body, colon + 1, at - colon - 1));
            start := at + 1;
            colon := 0;
        ELSIF quoted THEN
            IF chars[at] = '\' THEN at := at + 1;
            ELSIF chars[at] = '"' THEN quoted := false;
            END IF;
        ELSIF chars[at] = '"' THEN quoted := true;
        ELSIF chars[at] IN ('(', '{') THEN depth := depth + 1;
        ELSIF chars[at] IN (')', '}') THEN depth := depth - 1;
        ELSIF chars[at] = ':' AND colon = 0 THEN colon := at;
        END IF;
        at := at + 1;
    END LOOP;
END $$;

-- A map's text from keys and values. Raises as RisingWave does for keys that are NULL or not unique.
CREATE OR REPLACE FUNCTION rw.map_build(keys text[], vals text[], text_keys boolean, text_values boolean) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF keys IS NULL OR vals IS NULL THEN RETURN NULL; END IF;
    IF cardinality(keys) <> cardinality(vals) THEN
        RAISE EXCEPTION 'map keys and values have different length' USING ERRCODE = '22023';
    ELSIF array_position(keys, NULL) IS NOT NULL THEN
        RAISE EXCEPTION 'map keys must not be NULL' USING ERRCODE = '22004';
    ELSIF (SELECT count(DISTINCT k) < count(*) FROM unnest(keys) AS u (k)) THEN
        RAISE EXCEPTION 'map keys must be unique' USING ERRCODE = '22023';
    END IF;
    RETURN '{' || coalesce((
        SELECT string_agg(rw.map_quote(k, text_keys) || ':' || rw.map_quote(v, text_values), ',' ORDER BY o)
        FROM unnest(keys, vals) WITH ORDINALITY AS u (k, v, o)
    ), '') || '}';
END $$;

-- Both maps' texts in one: where a key is in both, the second's value stands in the first's place.
CREATE OR REPLACE FUNCTION rw.map_merge(first text, second text, text_keys boolean, text_values boolean) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT rw.map_build(
        f.keys || ARRAY(SELECT k FROM unnest(s.keys) WITH ORDINALITY AS u (k, o) WHERE k <> ALL (f.keys) ORDER BY o),
        ARRAY(
            SELECT CASE WHEN k = ANY (s.keys) THEN s.vals[array_position(s.keys, k)] ELSE v END
            FROM unnest(f.keys, f.vals) WITH ORDINALITY AS u (k, v, o) ORDER BY o
        ) || ARRAY(
            SELECT v FROM unnest(s.keys, s.vals) WITH ORDINALITY AS u (k, v, o) WHERE k <> ALL (f.keys) ORDER BY o
        ), text_keys, text_values)
    FROM rw.map_parse(first) AS f, rw.map_parse(second) AS s
$$;

CREATE OR REPLACE FUNCTION rw.map_without(map text, gone text, text_keys boolean, text_values boolean) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT rw.map_build(
        ARRAY(SELECT k FROM unnest(m.keys) WITH ORDINALITY AS u (k, o) WHERE k <> gone ORDER BY o),
        ARRAY(SELECT v FROM unnest(m.keys, m.vals) WITH ORDINALITY AS u (k, v, o) WHERE k <> gone ORDER BY o),
        text_keys, text_values)
    FROM rw.map_parse(map) AS m
$$;

-- The texts of an array's elements, as they are shown.
CREATE OR REPLACE FUNCTION rw.element_texts(elements anyarray) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$
    SELECT CASE WHEN array_ndims(elements) > 1 THEN rw.refuse_nested(elements) ELSE ARRAY(
        SELECT CASE WHEN elements[i] IS DISTINCT FROM NULL THEN format('%s', elements[i]) END
        FROM generate_subscripts(elements, 1) AS i ORDER BY i
    ) END
$$;

-- PostgreSQL takes an array of arrays for one array, so that it cannot tell the values of such a map.
CREATE OR REPLACE FUNCTION rw.refuse_nested(elements anyarray) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RAISE EXCEPTION 'a map made of an array of arrays is not supported' USING ERRCODE = '0A000',
        HINT = 'write its entries: MAP {key: value, ...} or map_from_entries(ARRAY[ROW(key, value), ...])';
END $$;

-- The texts of the arrays that an array of arrays consists of.
CREATE OR REPLACE FUNCTION rw.part_texts(parts anyarray) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$
    SELECT ARRAY(
        SELECT substr(t.part, 2, length(t.part) - 2)
        FROM generate_subscripts(parts, 1) AS i, LATERAL (SELECT parts[i:i]::text AS part) AS t ORDER BY i
    )
$$;

-- The map type called `name` from `key` to `value`, with its functions; `entry` is the struct of one entry.
CREATE OR REPLACE FUNCTION rw.make_map(name text, key text, value text, entry text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    text_key text := CASE WHEN key = 'character varying' THEN 'true' ELSE 'false' END;
    text_value text := CASE WHEN value IN ('character varying', 'text') THEN 'true' ELSE 'false' END;
    traits text := 'LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS';
    known text := text_key || ', ' || text_value;
    statement text;
    other record;
BEGIN
    IF to_regtype(name) IS NOT NULL THEN RETURN; END IF;
    FOREACH statement IN ARRAY ARRAY[
        'CREATE TYPE {m}',
        'CREATE FUNCTION {m}_in(cstring) RETURNS {m} {t} ''textin''',
        'CREATE FUNCTION {m}_out({m}) RETURNS cstring {t} ''textout''',
        'CREATE FUNCTION {m}_recv(internal) RETURNS {m} {t} ''textrecv''',
        'CREATE FUNCTION {m}_send({m}) RETURNS bytea {t} ''textsend''',
        'CREATE TYPE {m} (INPUT = {m}_in, OUTPUT = {m}_out, RECEIVE = {m}_recv, SEND = {m}_send, LIKE = pg_catalog.text)',
        -- an order, so that rows with maps can be compared and consolidated; only = is for everybody
        'CREATE FUNCTION rw.map_eq({m}, {m}) RETURNS boolean {t} ''byteaeq''',
        'CREATE FUNCTION rw.map_lt({m}, {m}) RETURNS boolean {t} ''bytealt''',
        'CREATE FUNCTION rw.map_le({m}, {m}) RETURNS boolean {t} ''byteale''',
        'CREATE FUNCTION rw.map_ge({m}, {m}) RETURNS boolean {t} ''byteage''',
        'CREATE FUNCTION rw.map_gt({m}, {m}) RETURNS boolean {t} ''byteagt''',
        'CREATE FUNCTION rw.map_cmp({m}, {m}) RETURNS integer {t} ''byteacmp''',
        'CREATE FUNCTION rw.map_hash({m}) RETURNS integer {t} ''hashvarlena''',
        'CREATE OPERATOR pg_catalog.= (LEFTARG = {m}, RIGHTARG = {m}, FUNCTION = rw.map_eq, COMMUTATOR = OPERATOR(pg_catalog.=), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES)',
        'CREATE OPERATOR rw.< (LEFTARG = {m}, RIGHTARG = {m}, FUNCTION = rw.map_lt)',
        'CREATE OPERATOR rw.<= (LEFTARG = {m}, RIGHTARG = {m}, FUNCTION = rw.map_le)',
        'CREATE OPERATOR rw.>= (LEFTARG = {m}, RIGHTARG = {m}, FUNCTION = rw.map_ge)',
        'CREATE OPERATOR rw.> (LEFTARG = {m}, RIGHTARG = {m}, FUNCTION = rw.map_gt)',
        'CREATE OPERATOR CLASS {m}_btree DEFAULT FOR TYPE {m} USING btree AS OPERATOR 1 rw.<, OPERATOR 2 rw.<=, OPERATOR 3 pg_catalog.=, OPERATOR 4 rw.>=, OPERATOR 5 rw.>, FUNCTION 1 rw.map_cmp({m}, {m})',
        'CREATE OPERATOR CLASS {m}_hash DEFAULT FOR TYPE {m} USING hash AS OPERATOR 1 pg_catalog.=, FUNCTION 1 rw.map_hash({m})',
        -- an array of arrays is of the type of its arrays, so that calls with one are given a name of their own
        CASE WHEN value LIKE '%[]' THEN 'CREATE FUNCTION {m}_of({k}[], {v}) RETURNS {m} {s} SELECT rw.map_build(rw.element_texts($1), rw.part_texts($2), {b})::{m} {e}'
            ELSE 'CREATE FUNCTION pg_catalog.map_from_key_values({k}[], {v}[]) RETURNS {m} {s} SELECT rw.map_build(rw.element_texts($1), rw.element_texts($2), {b})::{m} {e}' END,
        'CREATE FUNCTION pg_catalog.map_keys({m}) RETURNS {k}[] {s} SELECT CASE WHEN $1 IS DISTINCT FROM NULL THEN (rw.map_parse($1::text)).keys::{k}[] END {e}',
        CASE WHEN value LIKE '%[]' THEN 'CREATE FUNCTION pg_catalog.map_values({m}) RETURNS {v} {s} SELECT CASE WHEN $1 IS DISTINCT FROM NULL THEN ARRAY(SELECT u.v::{v} FROM unnest((rw.map_parse($1::text)).vals) WITH ORDINALITY AS u (v, o) ORDER BY u.o) END {e}'
            ELSE 'CREATE FUNCTION pg_catalog.map_values({m}) RETURNS {v}[] {s} SELECT CASE WHEN $1 IS DISTINCT FROM NULL THEN (rw.map_parse($1::text)).vals::{v}[] END {e}' END,
        'CREATE FUNCTION pg_catalog.map_entries({m}) RETURNS {n}[] {s} SELECT CASE WHEN $1 IS DISTINCT FROM NULL THEN ARRAY(SELECT ROW(u.k::{k}, u.v::{v})::{n} FROM rw.map_parse($1::text) AS m, unnest(m.keys, m.vals) WITH ORDINALITY AS u (k, v, o) ORDER BY u.o) END {e}',
        'CREATE FUNCTION pg_catalog.map_from_entries({n}[]) RETURNS {m} {s} SELECT CASE WHEN $1 IS DISTINCT FROM NULL THEN rw.map_build(ARRAY(SELECT CASE WHEN ($1[i]).key IS NOT NULL THEN format(''%s'', ($1[i]).key) END FROM generate_subscripts($1, 1) AS i ORDER BY i), ARRAY(SELECT CASE WHEN ($1[i]).value IS DISTINCT FROM NULL THEN format(''%s'', ($1[i]).value) END FROM generate_subscripts($1, 1) AS i ORDER BY i), {b})::{m} END {e}',
        'CREATE FUNCTION pg_catalog.map_length({m}) RETURNS bigint {s} SELECT cardinality((rw.map_parse($1::text)).keys)::bigint WHERE $1 IS DISTINCT FROM NULL {e}',
        'CREATE FUNCTION pg_catalog.cardinality({m}) RETURNS bigint {s} SELECT pg_catalog.map_length($1) {e}',
        'CREATE FUNCTION pg_catalog.map_access({m}, {k}) RETURNS {v} {s} SELECT (p.vals)[array_position(p.keys, format(''%s'', $2))]::{v} FROM rw.map_parse($1::text) AS p {e}',
        'CREATE FUNCTION pg_catalog.map_contains({m}, {k}) RETURNS boolean {s} SELECT format(''%s'', $2) = ANY ((rw.map_parse($1::text)).keys) WHERE $1 IS DISTINCT FROM NULL AND $2 IS NOT NULL {e}',
        'CREATE FUNCTION pg_catalog.map_cat({m}, {m}) RETURNS {m} {s} SELECT CASE WHEN $1 IS NOT DISTINCT FROM NULL THEN $2 WHEN $2 IS NOT DISTINCT FROM NULL THEN $1 ELSE rw.map_merge($1::text, $2::text, {b})::{m} END {e}',
        'CREATE FUNCTION pg_catalog.map_insert({m}, {k}, {v}) RETURNS {m} {s} SELECT CASE WHEN $1 IS DISTINCT FROM NULL THEN CASE WHEN $2 IS NULL THEN $1 ELSE rw.map_merge($1::text, rw.map_build(ARRAY[format(''%s'', $2)], ARRAY[CASE WHEN $3 IS DISTINCT FROM NULL THEN format(''%s'', $3) END], {b}), {b})::{m} END END {e}',
        'CREATE FUNCTION pg_catalog.map_delete({m}, {k}) RETURNS {m} {s} SELECT CASE WHEN $1 IS DISTINCT FROM NULL THEN CASE WHEN $2 IS NULL THEN $1 ELSE rw.map_without($1::text, format(''%s'', $2), {b})::{m} END END {e}',
        'CREATE FUNCTION rw.map_to_json({m}) RETURNS json {s} SELECT coalesce(json_object_agg(u.k, rw.to_jsonb(u.v::{v}) ORDER BY u.o), ''{}''::json) FROM rw.map_parse($1::text) AS p, unnest(p.keys, p.vals) WITH ORDINALITY AS u (k, v, o) WHERE $1 IS DISTINCT FROM NULL {e}',
        'CREATE CAST ({m} AS json) WITH FUNCTION rw.map_to_json({m})',
        'CREATE FUNCTION pg_catalog.to_jsonb({m}) RETURNS jsonb {s} SELECT CASE WHEN $1 IS DISTINCT FROM NULL THEN rw.map_to_json($1)::jsonb END {e}',
        'CREATE FUNCTION pg_catalog.jsonb_populate_map({m}, jsonb) RETURNS {m} {s} SELECT CASE WHEN $2 IS NOT NULL THEN pg_catalog.map_cat($1, pg_catalog.map_from_entries(ARRAY(SELECT jsonb_populate_record(NULL::{n}, jsonb_build_object(''key'', rw.populated_key(p.key, {tk}), ''value'', p.value)) FROM jsonb_each($2) WITH ORDINALITY AS p (key, value, o) ORDER BY o))) END {e}'
    ] LOOP
        statement := replace(replace(replace(statement, '{s}', 'LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $f$'), '{e}', '$f$'), '{t}', traits);
        statement := replace(replace(replace(statement, '{m}', name), '{k}', key), '{v}', value);
        EXECUTE replace(replace(replace(statement, '{n}', entry), '{b}', known), '{tk}', text_key);
    END LOOP;
    FOR other IN
        SELECT p.proargtypes[0]::regtype AS name, p.proargtypes[1]::regtype AS key, p.prorettype::regtype AS value
        FROM pg_catalog.pg_proc AS p WHERE p.proname = 'map_access' AND p.pronamespace = 'pg_catalog'::regnamespace
            AND p.proargtypes[0] <> ALL (ARRAY[to_regtype(name)::oid, 'jsonb'::regtype::oid])
    LOOP
        PERFORM rw.make_map_cast(name, other.name::text, other.key::text, other.value::text);
        PERFORM rw.make_map_cast(other.name::text, name, key, value);
    END LOOP;
END $$;

-- The cast between two map types, where keys and values can be cast.
CREATE OR REPLACE FUNCTION rw.make_map_cast(source text, target text, key text, value text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    maker text := 'rw.cast_' || substr(source, 4) || '_' || substr(target, 8);
    entry text;
BEGIN
    SELECT format_type(t.typelem, NULL) INTO STRICT entry FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_type AS t ON t.oid = p.prorettype
        WHERE p.proname = 'map_entries' AND p.pronamespace = 'pg_catalog'::regnamespace AND p.proargtypes[0] = to_regtype(target);
    EXECUTE format(
        'CREATE FUNCTION %1$s(%2$s) RETURNS %3$s LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $f$ SELECT CASE WHEN $1 IS DISTINCT FROM NULL '
        'THEN pg_catalog.map_from_entries(ARRAY(SELECT ROW((e.entry).key::%4$s, (e.entry).value::%5$s)::%6$s '
        'FROM (SELECT (pg_catalog.map_entries($1))[i] AS entry, i FROM generate_subscripts(pg_catalog.map_entries($1), 1) AS i) AS e ORDER BY e.i)) END $f$',
        maker, source, target, key, value, entry);
    EXECUTE format('CREATE CAST (%1$s AS %2$s) WITH FUNCTION %3$s(%1$s) AS ASSIGNMENT', source, target, maker);
EXCEPTION WHEN cannot_coerce OR undefined_function OR datatype_mismatch THEN
    NULL;  -- no such cast
END $$;

CREATE OR REPLACE FUNCTION rw.populated_key(key text, is_text boolean) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF NOT is_text THEN
        RAISE EXCEPTION 'Parse error: cannot convert jsonb to a map with non-string keys' USING ERRCODE = '22023';
    END IF;
    RETURN key;
END $$;

-- A field of a JSON object, for subscripts with a string.
CREATE OR REPLACE FUNCTION pg_catalog.map_access(jsonb, text) RETURNS jsonb
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT $1 -> $2 $$;
