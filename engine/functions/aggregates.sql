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
CREATE OR REPLACE FUNCTION rw.approx_percentile_in(measured double precision[], percentile double precision, error double precision)
RETURNS double precision LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    base constant double precision := (1 + error) / (1 - error);
    value double precision;
    bucket integer;
    factor double precision;
    bound double precision := 1;
    rest integer;
BEGIN
    SELECT x INTO value FROM unnest(measured) AS u (x) WHERE x IS NOT NULL ORDER BY x
        OFFSET floor(greatest((SELECT count(x) - 1 FROM unnest(measured) AS u (x)), 0) * percentile)::bigint LIMIT 1;
    IF value IS NULL OR value = 0 THEN
        RETURN value;
    END IF;
    bucket := ceil(ln(abs(value)) / ln(base))::integer;
    rest := abs(bucket);
    factor := base;
    WHILE rest > 0 LOOP  -- repeated squaring, whose last digits are not those of power()
        IF rest % 2 = 1 THEN
            bound := bound * factor;
        END IF;
        rest := rest / 2;
        IF rest > 0 THEN
            factor := factor * factor;
        END IF;
    END LOOP;
    IF bucket < 0 THEN
        bound := 1 / bound;
    END IF;
    RETURN sign(value) * 2 * bound / (base + 1);
END $$;
CREATE OR REPLACE FUNCTION rw.approx_percentile_in(measured double precision[], percentile double precision)
RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT rw.approx_percentile_in($1, $2, 0.01) $$;
CREATE OR REPLACE FUNCTION rw.add_double(double precision[], double precision) RETURNS double precision[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT array_append($1, $2) $$;
CREATE OR REPLACE AGGREGATE pg_catalog.approx_percentile(double precision, double precision ORDER BY double precision) (
    sfunc = rw.add_double, stype = double precision[], initcond = '{}', finalfunc = rw.approx_percentile_in
);
CREATE OR REPLACE AGGREGATE pg_catalog.approx_percentile(double precision ORDER BY double precision) (
    sfunc = rw.add_double, stype = double precision[], initcond = '{}', finalfunc = rw.approx_percentile_in
);

-- The value of one row, by the order of another column: arg_min(a, b) is written rw.arg_min(a ORDER BY b).
CREATE OR REPLACE AGGREGATE rw.arg_min(anycompatible) (sfunc = rw.first_of, stype = anycompatiblearray, finalfunc = rw.only_of);
CREATE OR REPLACE AGGREGATE rw.arg_max(anycompatible) (sfunc = rw.first_of, stype = anycompatiblearray, finalfunc = rw.only_of);

-- Exact here, whatever the name says.
CREATE OR REPLACE FUNCTION rw.distinct_of(anycompatiblearray) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT count(DISTINCT x) FROM unnest($1) AS u (x) $$;
CREATE OR REPLACE FUNCTION rw.also_of(anycompatiblearray, anycompatible) RETURNS anycompatiblearray
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT array_append($1, $2) $$;
CREATE OR REPLACE AGGREGATE pg_catalog.approx_count_distinct(anycompatible) (
    sfunc = rw.also_of, stype = anycompatiblearray, initcond = '{}', finalfunc = rw.distinct_of
);

-- A sum over a count. That of decimals is RisingWave's division.
CREATE OR REPLACE FUNCTION rw.avg(bigint, bigint) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT $1::numeric / nullif($2, 0)::numeric $$;
CREATE OR REPLACE FUNCTION rw.avg(numeric, bigint) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT $1 / nullif($2, 0)::numeric $$;
CREATE OR REPLACE FUNCTION rw.avg(real, bigint) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT $1::double precision / nullif($2, 0) $$;
CREATE OR REPLACE FUNCTION rw.avg(double precision, bigint) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT $1 / nullif($2, 0) $$;
CREATE OR REPLACE FUNCTION rw.avg(interval, bigint) RETURNS interval
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT $1 / nullif($2, 0) $$;

-- How many values have each bit set (engine/operators/accumulators.py).
CREATE OR REPLACE FUNCTION rw.add_counts(bigint[], bigint[]) RETURNS bigint[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT array_agg(a + b ORDER BY i) FROM unnest($1, $2) WITH ORDINALITY AS u (a, b, i) $$;
CREATE OR REPLACE FUNCTION rw.bits_of_counts(counts bigint[], at_least bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT coalesce(bit_or(1::bigint << (i - 1)::integer), 0) FROM unnest(counts) WITH ORDINALITY AS u (n, i) WHERE n >= at_least
$$;
