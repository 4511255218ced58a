-- Numbers. RisingWave docs: "Mathematical functions and operators", "Numeric types".

-- RisingWave's decimals have 96 bits and at most 28 places.
CREATE OR REPLACE FUNCTION rw.in_range(value numeric) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF abs(value) > 79228162514264337593543950335 AND value NOT IN ('Infinity', '-Infinity', 'NaN') THEN
        RAISE EXCEPTION 'Numeric out of range: overflow' USING ERRCODE = '22003';
    END IF;
    RETURN value;
END $$;

-- A quotient of decimals: up to 28 places as far as they fit, computed nine by nine; of the zeros at its end seven at most go
-- (1 / 2 is 0.50, 1 / 4 is 0.25), none where the division is exact within the operands' scales. The operator / of two numerics
-- is this.
CREATE OR REPLACE FUNCTION rw.numeric_div(a numeric, b numeric) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    places constant integer := scale(a) - scale(b);
    quotient numeric;
    room integer;
    reached integer;
    zeros integer;
BEGIN
    IF places IS NULL OR b = 0 OR a = 0 THEN
        RETURN numeric_div(a, b);
    END IF;
    quotient := numeric_div(round(a, 40), b);
    room := 29 - length(trunc(abs(quotient))::text);
    IF room > 28 OR trunc(abs(quotient) * 10::numeric ^ room) > 79228162514264337593543950335 THEN
        room := room - 1;
    END IF;
    room := least(room, 28);
    quotient := trim_scale(round(quotient, room));
    reached := room;
    IF quotient * b = a THEN
        IF greatest(places, 0) >= scale(quotient) THEN
            RETURN round(quotient, greatest(places, 0));
        END IF;
        reached := least(room, places + 9 * ceil((scale(quotient) - places) / 9.0)::integer);
    END IF;
    zeros := reached - scale(quotient);
    IF zeros <= 7 THEN
        RETURN quotient;
    END IF;
    WHILE zeros >= 8 AND mod(abs(quotient) * 10::numeric ^ reached, 4294967296) = 0 LOOP
        zeros := zeros - 8;
        reached := reached - 8;
    END LOOP;
    RETURN round(quotient, scale(quotient) + greatest(zeros - 7, 0));
END $$;

CREATE OR REPLACE FUNCTION rw.pow(numeric, numeric) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF abs($1) NOT IN (0, 1, 'Infinity', 'NaN') AND abs($2) NOT IN ('Infinity', 'NaN') THEN
        IF $2 * ln(abs($1)) > 66.55 THEN
            RAISE EXCEPTION 'Numeric out of range: overflow' USING ERRCODE = '22003';
        ELSIF $2 * ln(abs($1)) < -70 AND ($1 > 0 OR $2 = trunc($2)) THEN
            RETURN 0;
        END IF;
    END IF;
    RETURN rw.in_range(trim_scale(round(numeric_power($1, $2), 28)));
END $$;
CREATE OR REPLACE FUNCTION rw.pow(double precision, double precision) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN dpow($1, $2);
EXCEPTION WHEN numeric_value_out_of_range THEN
    RAISE EXCEPTION 'Numeric out of range: %', split_part(sqlerrm, ': ', 2) USING ERRCODE = '22003';
END $$;
CREATE OR REPLACE FUNCTION rw.power(numeric, numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT rw.pow($1, $2) $$;
CREATE OR REPLACE FUNCTION rw.power(double precision, double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT rw.pow($1, $2) $$;

CREATE OR REPLACE FUNCTION rw.exp(numeric) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF $1 > 66.55 AND $1 NOT IN ('Infinity', 'NaN') THEN
        RAISE EXCEPTION 'Numeric out of range: overflow' USING ERRCODE = '22003';
    END IF;
    RETURN CASE WHEN $1 < -70 THEN 0 ELSE trim_scale(round(numeric_exp($1), 28)) END;
END $$;
CREATE OR REPLACE FUNCTION rw.exp(double precision) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN dexp($1);
EXCEPTION WHEN numeric_value_out_of_range THEN
    RAISE EXCEPTION 'Numeric out of range: %', split_part(sqlerrm, ': ', 2) USING ERRCODE = '22003';
END $$;

CREATE OR REPLACE FUNCTION rw.sqrt(numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT trim_scale(round(numeric_sqrt($1 + 0.0000000000000000000000000000), 28)) $$;
CREATE OR REPLACE FUNCTION rw.sqrt(double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT dsqrt($1) $$;

-- Rounding never adds places.
CREATE OR REPLACE FUNCTION rw.round(numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.round($1) $$;
CREATE OR REPLACE FUNCTION rw.round(double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.round($1) $$;
CREATE OR REPLACE FUNCTION rw.round(numeric, integer) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.round($1, least($2, coalesce(scale($1), 0))) $$;

-- The two operators of PostgreSQL's that make a numeric of two by rules of their own.
DO $$
DECLARE
    changed constant text[][] := '{{/,rw.numeric_div},{^,rw.pow}}';
    operator oid;
    function oid;
BEGIN
    SET LOCAL allow_system_table_mods = on;
    FOR i IN 1 .. array_length(changed, 1) LOOP
        operator := format('pg_catalog.%s (numeric, numeric)', changed[i][1])::regoperator;
        function := format('%s(numeric, numeric)', changed[i][2])::regprocedure;
        UPDATE pg_operator SET oprcode = function WHERE oid = operator AND oprcode <> function;
    END LOOP;
    SET LOCAL allow_system_table_mods = off;
END $$;

-- Outside of its domain a function of angles gives NaN.
DO $$
DECLARE
    domain constant text[][] := '{{asin,abs($1) <= 1},{acos,abs($1) <= 1},{asind,abs($1) <= 1},{acosd,abs($1) <= 1},{acosh,$1 >= 1},
        {atanh,abs($1) <= 1},{sin,abs($1) < ''Infinity''},{cos,abs($1) < ''Infinity''},{tan,abs($1) < ''Infinity''},
        {cot,abs($1) < ''Infinity''},{sind,abs($1) < ''Infinity''},{cosd,abs($1) < ''Infinity''},
        {tand,abs($1) < ''Infinity''},{cotd,abs($1) < ''Infinity''}}';
BEGIN
    FOR i IN 1 .. array_length(domain, 1) LOOP
        EXECUTE format('CREATE OR REPLACE FUNCTION rw.%I(double precision) RETURNS double precision '
            'LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS %L', domain[i][1],
            format('SELECT CASE WHEN %s THEN pg_catalog.%I($1) ELSE ''NaN'' END', domain[i][2], domain[i][1]));
    END LOOP;
END $$;

CREATE OR REPLACE FUNCTION pg_catalog.coth(double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT CASE WHEN $1 = 0 THEN 'NaN' ELSE 1 / tanh($1) END $$;


-- The virtual node, of `$1`, that RisingWave would place a row of these values on: CRC-32 of their bytes in memory.
CREATE OR REPLACE FUNCTION rw.vnode(integer, bytea) RETURNS smallint
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF $1 IS NULL THEN
        RAISE EXCEPTION 'the first argument (vnode count) must not be NULL' USING ERRCODE = '22023';
    ELSIF $1 NOT BETWEEN 1 AND 32768 THEN
        RAISE EXCEPTION 'the first argument (vnode count) must be in range 1..=32768' USING ERRCODE = '22023';
    END IF;
    RETURN crc32($2) % $1;
END $$;
CREATE OR REPLACE FUNCTION pg_catalog.rw_vnode(integer, VARIADIC smallint[]) RETURNS smallint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT rw.vnode($1,
    (SELECT string_agg(coalesce(reverse(int2send(v)), '\xf0ffffff'::bytea), ''::bytea ORDER BY i) FROM unnest($2) WITH ORDINALITY AS u (v, i))) $$;
CREATE OR REPLACE FUNCTION pg_catalog.rw_vnode(integer, VARIADIC integer[]) RETURNS smallint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT rw.vnode($1,
    (SELECT string_agg(coalesce(reverse(int4send(v)), '\xf0ffffff'::bytea), ''::bytea ORDER BY i) FROM unnest($2) WITH ORDINALITY AS u (v, i))) $$;
CREATE OR REPLACE FUNCTION pg_catalog.rw_vnode(integer, VARIADIC bigint[]) RETURNS smallint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT rw.vnode($1,
    (SELECT string_agg(coalesce(reverse(int8send(v)), '\xf0ffffff'::bytea), ''::bytea ORDER BY i) FROM unnest($2) WITH ORDINALITY AS u (v, i))) $$;
CREATE OR REPLACE FUNCTION pg_catalog.rw_vnode(integer, VARIADIC text[]) RETURNS smallint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT rw.vnode($1, (SELECT string_agg(coalesce(convert_to(v, 'UTF8') || '\xff'::bytea,
    '\xf0ffffff'::bytea), ''::bytea ORDER BY i) FROM unnest($2) WITH ORDINALITY AS u (v, i))) $$;

-- The cube root: exactly the whole number whose cube it is of.
CREATE OR REPLACE FUNCTION rw.cbrt(double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN abs($1) < 1e15 AND round(cbrt($1)) * round(cbrt($1)) * round(cbrt($1)) = $1 THEN round(cbrt($1))
        ELSE cbrt($1) END
$$;
