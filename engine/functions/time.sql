-- Dates and times. RisingWave docs: "Date and time functions and operators".

-- The time of the statement; in a view, of the barrier (see the compiler).
CREATE OR REPLACE FUNCTION pg_catalog.proctime() RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT now() $$;

-- Text of times as RisingWave writes it: fractions of seconds have 3 or 6 digits, offsets have minutes.
CREATE OR REPLACE FUNCTION rw.clock_text(text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT regexp_replace(regexp_replace(regexp_replace($1, '(:\d\d[+-]\d\d|\.\d+[+-]\d\d)(?= BC|$)', '\1:00'),
        '(\.\d)(?=\D|$)', '\100'), '(\.\d\d)(?=\D|$)', '\10')
$$;
CREATE OR REPLACE FUNCTION rw.longer_fraction(text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN strpos($1, '.') = 0 THEN rw.clock_text($1)
        ELSE rw.clock_text(regexp_replace(regexp_replace($1, '(\.\d{4})(?=\D|$)', '\100'), '(\.\d{5})(?=\D|$)', '\10')) END
$$;
CREATE OR REPLACE FUNCTION rw.as_text(timestamptz) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT rw.longer_fraction(textin(timestamptz_out($1))) $$;
CREATE OR REPLACE FUNCTION rw.as_text(timestamp) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT rw.longer_fraction(textin(timestamp_out($1))) $$;
CREATE OR REPLACE FUNCTION rw.as_text(time) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT rw.longer_fraction(textin(time_out($1))) $$;

DO $$
DECLARE
    source regtype;
    target regtype;
BEGIN
    FOREACH source IN ARRAY '{timestamptz,timestamp,time}'::regtype[] LOOP
        FOREACH target IN ARRAY '{text,varchar}'::regtype[] LOOP
            IF NOT EXISTS (SELECT FROM pg_cast WHERE castsource = source AND casttarget = target) THEN
                EXECUTE format('CREATE CAST (%s AS %s) WITH FUNCTION rw.as_text(%s) AS ASSIGNMENT', source, target, source);
            END IF;
        END LOOP;
    END LOOP;
END $$;

-- From a start up to, but without, an end.
CREATE OR REPLACE FUNCTION pg_catalog.range(integer, integer, integer DEFAULT 1) RETURNS SETOF integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT i FROM generate_series($1, $2, $3) AS i WHERE i <> $2 $$;
CREATE OR REPLACE FUNCTION pg_catalog.range(bigint, bigint, bigint DEFAULT 1) RETURNS SETOF bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT i FROM generate_series($1, $2, $3) AS i WHERE i <> $2 $$;
CREATE OR REPLACE FUNCTION pg_catalog.range(numeric, numeric, numeric DEFAULT 1) RETURNS SETOF numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT i FROM generate_series($1, $2, $3) AS i WHERE i <> $2 $$;
CREATE OR REPLACE FUNCTION pg_catalog.range(timestamp, timestamp, interval) RETURNS SETOF timestamp
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT i FROM generate_series($1, $2, $3) AS i WHERE i <> $2 $$;

-- Parts of a date or time, checked as RisingWave does: a year before Christ counts from -1, there is no year 0.
CREATE OR REPLACE FUNCTION rw.make_date(integer, integer, integer) RETURNS date
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN pg_catalog.make_date($1, $2, $3);
EXCEPTION WHEN data_exception THEN
    RAISE EXCEPTION 'Invalid parameter year, month, day: invalid date: %-%-%', $1 + ($1 < 0)::integer, $2, $3
        USING ERRCODE = '22008';
END $$;
CREATE OR REPLACE FUNCTION rw.make_time(integer, integer, double precision) RETURNS time
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF $3 < 0 THEN
        RAISE EXCEPTION 'Invalid parameter sec: invalid sec: %', $3 USING ERRCODE = '22008';
    ELSIF $1 NOT BETWEEN 0 AND 23 OR $2 NOT BETWEEN 0 AND 59 OR $3 >= 60 THEN
        RAISE EXCEPTION 'Invalid parameter hour, min, sec: invalid time: %:%:%', $1, $2, $3 USING ERRCODE = '22008';
    END IF;
    RETURN pg_catalog.make_time($1, $2, $3);
END $$;
CREATE OR REPLACE FUNCTION rw.make_timestamp(integer, integer, integer, integer, integer, double precision) RETURNS timestamp
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT rw.make_date($1, $2, $3) + rw.make_time($4, $5, $6) $$;
CREATE OR REPLACE FUNCTION rw.make_timestamptz(integer, integer, integer, integer, integer, double precision)
RETURNS timestamptz
LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT rw.make_timestamp($1, $2, $3, $4, $5, $6)::timestamptz $$;
CREATE OR REPLACE FUNCTION rw.make_timestamptz(integer, integer, integer, integer, integer, double precision, text)
RETURNS timestamptz
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN rw.make_timestamp($1, $2, $3, $4, $5, $6) AT TIME ZONE $7;
EXCEPTION WHEN invalid_parameter_value THEN
    RAISE EXCEPTION 'Invalid parameter time_zone: ''%'' is not a valid timezone', $7 USING ERRCODE = '22023';
END $$;

-- The field of a time as it is shown in a time zone.
CREATE OR REPLACE FUNCTION pg_catalog.date_part(text, timestamptz, text) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN $1 ~* '^\s*epoch\s*$' THEN date_part($1, $2) ELSE date_part($1, $2 AT TIME ZONE $3) END
$$;
