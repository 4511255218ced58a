-- Aggregates. RisingWave docs: "Aggregate functions". PostgreSQL's window functions first_value and last_value stand in pg_catalog, so
-- the aggregates of these names stand in rw.

CREATE OR REPLACE FUNCTION rw.first_of(anycompatiblearray, anycompatible) RETURNS anycompatiblearray
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT coalesce($1, ARRAY[$2]) $$;
CREATE OR REPLACE FUNCTION rw.last_of(anycompatiblearray, anycompatible) RETURNS anycompatiblearray
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT ARRAY[$2] $$;
CREATE OR REPLACE FUNCTION rw.only_of(anycompatiblearray) RETURNS anycompatible
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT $1[1] $$;
CREATE OR REPLACE AGGREGATE rw.first_value(anycompatible) (sfunc = rw.first_of, stype = anycompatiblearray, finalfunc = rw.only_of);
CREATE OR REPLACE AGGREGATE rw.last_value(anycompatible) (sfunc = rw.last_of, stype = anycompatiblearray, finalfunc = rw.only_of);

-- With IGNORE NULLS.
CREATE OR REPLACE FUNCTION rw.left_of(anyelement, anyelement) RETURNS anyelement
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT $1 $$;
CREATE OR REPLACE FUNCTION rw.right_of(anyelement, anyelement) RETURNS anyelement
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT $2 $$;
CREATE OR REPLACE AGGREGATE rw.first_value_not_null(anyelement) (sfunc = rw.left_of, stype = anyelement);
CREATE OR REPLACE AGGREGATE rw.last_value_not_null(anyelement) (sfunc = rw.right_of, stype = anyelement);

-- The value of a row in whose bucket the percentile falls, at most the relative error away from it. Buckets are those of DDSketch
-- (Masson, Rim, Lee 2019): |x| in (base^(i-1), base^i], base = (1 + error) / (1 - error).
CREATE OR REPLACE FUNCTION rw.approx_percentile_of(found double precision[], percentile double precision, error double precision)
RETURNS double precision LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    base constant double precision := (1 + error) / (1 - error);
    value double precision;
    bucket integer;
BEGIN
    SELECT x INTO value FROM unnest(found) AS u (x) WHERE x IS NOT NULL ORDER BY x
        OFFSET floor((SELECT count(x) - 1 FROM unnest(found) AS u (x)) * percentile)::bigint LIMIT 1;
    IF value IS NULL OR value = 0 THEN
        RETURN value;
    END IF;
    bucket := ceil(ln(abs(value)) / ln(base))::integer;
    RETURN sign(value) * 2 * power(base, bucket) / (base + 1);
END $$;
CREATE OR REPLACE FUNCTION rw.approx_percentile_of(found double precision[], percentile double precision)
RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT rw.approx_percentile_of($1, $2, 0.01) $$;
CREATE OR REPLACE FUNCTION rw.add_double(double precision[], double precision) RETURNS double precision[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT array_append($1, $2) $$;
CREATE OR REPLACE AGGREGATE pg_catalog.approx_percentile(double precision, double precision ORDER BY double precision) (
    sfunc = rw.add_double, stype = double precision[], initcond = '{}', finalfunc = rw.approx_percentile_of
);
CREATE OR REPLACE AGGREGATE pg_catalog.approx_percentile(double precision ORDER BY double precision) (
    sfunc = rw.add_double, stype = double precision[], initcond = '{}', finalfunc = rw.approx_percentile_of
);
