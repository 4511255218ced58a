-- Arrays. RisingWave docs: "Array functions and operators".

CREATE OR REPLACE FUNCTION pg_catalog.array_length(anyarray) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT coalesce(array_length($1, 1), 0) $$;

CREATE OR REPLACE FUNCTION pg_catalog.array_join(anyarray, text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT array_to_string($1, $2) $$;

CREATE OR REPLACE FUNCTION pg_catalog.array_join(anyarray, text, text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT array_to_string($1, $2, $3) $$;

-- Each element once, where it stood first.
CREATE OR REPLACE FUNCTION pg_catalog.array_distinct(anyarray) RETURNS anyarray
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT coalesce(array_agg(e ORDER BY i), $1[1:0])
    FROM (SELECT e, min(i) AS i FROM unnest($1) WITH ORDINALITY AS u (e, i) GROUP BY e) AS d
$$;

CREATE OR REPLACE FUNCTION pg_catalog.array_min(anyarray) RETURNS anyelement
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT e FROM unnest($1) AS e WHERE e IS NOT NULL ORDER BY e LIMIT 1 $$;

CREATE OR REPLACE FUNCTION pg_catalog.array_max(anyarray) RETURNS anyelement
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT e FROM unnest($1) AS e WHERE e IS NOT NULL ORDER BY e DESC LIMIT 1 $$;

CREATE OR REPLACE FUNCTION pg_catalog.array_sum(smallint[]) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT sum(e) FROM unnest($1) AS e $$;
CREATE OR REPLACE FUNCTION pg_catalog.array_sum(integer[]) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT sum(e) FROM unnest($1) AS e $$;
CREATE OR REPLACE FUNCTION pg_catalog.array_sum(bigint[]) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT sum(e) FROM unnest($1) AS e $$;
CREATE OR REPLACE FUNCTION pg_catalog.array_sum(numeric[]) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT sum(e) FROM unnest($1) AS e $$;
CREATE OR REPLACE FUNCTION pg_catalog.array_sum(real[]) RETURNS real
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT sum(e) FROM unnest($1) AS e $$;
CREATE OR REPLACE FUNCTION pg_catalog.array_sum(double precision[]) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT sum(e) FROM unnest($1) AS e $$;
CREATE OR REPLACE FUNCTION pg_catalog.array_sum(interval[]) RETURNS interval
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT sum(e) FROM unnest($1) AS e $$;

-- Unlike PostgreSQL's operators, these take NULL elements for values that are equal.
CREATE OR REPLACE FUNCTION pg_catalog.array_contains(anyarray, anyarray) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT NOT EXISTS (SELECT unnest($2) EXCEPT SELECT unnest($1)) $$;
CREATE OR REPLACE FUNCTION pg_catalog.array_contained(anyarray, anyarray) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT NOT EXISTS (SELECT unnest($1) EXCEPT SELECT unnest($2)) $$;
CREATE OR REPLACE FUNCTION pg_catalog.array_overlaps(anyarray, anyarray) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT EXISTS (SELECT unnest($1) INTERSECT SELECT unnest($2)) $$;
CREATE OR REPLACE FUNCTION pg_catalog.array_is_overlap(anyarray, anyarray) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT EXISTS (SELECT unnest($1) INTERSECT SELECT unnest($2)) $$;
CREATE OR REPLACE FUNCTION pg_catalog.array_is_intersect(anyarray, anyarray) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT EXISTS (SELECT unnest($1) INTERSECT SELECT unnest($2)) $$;

-- One level less of nesting; PostgreSQL's arrays are rectangular, so two dimensions become one.
CREATE OR REPLACE FUNCTION pg_catalog.array_flatten(anyarray) RETURNS anyarray
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT CASE WHEN coalesce(array_ndims($1), 0) <= 2 THEN ARRAY(SELECT unnest($1)) ELSE $1 END $$;

-- Elements of one dimension less, at the ends of an array of arrays.
CREATE OR REPLACE FUNCTION pg_catalog.array_append(anycompatiblearray, anycompatiblearray) RETURNS anycompatiblearray
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT array_cat($1, $2) $$;
CREATE OR REPLACE FUNCTION pg_catalog.array_prepend(anycompatiblearray, anycompatiblearray) RETURNS anycompatiblearray
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT array_cat($1, $2) $$;
