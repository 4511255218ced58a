-- GAP_FILL: the moments to fill between two rows, and the values that lie between theirs.

CREATE OR REPLACE FUNCTION rw.gap_points(origin timestamp, upto timestamp, step interval)
RETURNS TABLE (n integer, at timestamp) LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF step <= interval '0' THEN
        RAISE EXCEPTION 'the interval of GAP_FILL must be positive, got %', step USING ERRCODE = '22023';
    END IF;
    n := 0;
    at := origin;
    LOOP
        RETURN NEXT;
        n := n + 1;
        at := at + step;
        EXIT WHEN upto IS NULL OR at IS NULL OR at >= upto;
    END LOOP;
END $$;
CREATE OR REPLACE FUNCTION rw.gap_points(origin timestamptz, upto timestamptz, step interval)
RETURNS TABLE (n integer, at timestamptz) LANGUAGE sql IMMUTABLE AS $$
    SELECT p.n, p.at AT TIME ZONE 'UTC' FROM rw.gap_points(origin AT TIME ZONE 'UTC', upto AT TIME ZONE 'UTC', step) AS p
$$;
CREATE OR REPLACE FUNCTION rw.gap_steps(origin timestamp, upto timestamp, step interval) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$
    SELECT count(*)::integer FROM rw.gap_points(origin, upto, step)
$$;
CREATE OR REPLACE FUNCTION rw.gap_steps(origin timestamptz, upto timestamptz, step interval) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$
    SELECT count(*)::integer FROM rw.gap_points(origin, upto, step)
$$;
CREATE OR REPLACE FUNCTION rw.interpolated(low double precision, high double precision, steps integer)
RETURNS double precision[] LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE
    step double precision := (high - low) / steps;
    reached double precision := low;
    found double precision[] := ARRAY[]::double precision[];
BEGIN
    FOR n IN 1..steps - 1 LOOP
        reached := reached + step;
        found[n] := reached;
    END LOOP;
    RETURN found;
END $$;
CREATE OR REPLACE FUNCTION rw.interpolated(low real, high real, steps integer)
RETURNS real[] LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE
    step real := (high - low) / steps::real;
    reached real := low;
    found real[] := ARRAY[]::real[];
BEGIN
    FOR n IN 1..steps - 1 LOOP
        reached := reached + step;
        found[n] := reached;
    END LOOP;
    RETURN found;
END $$;
CREATE OR REPLACE FUNCTION rw.interpolated(low numeric, high numeric, steps integer)
RETURNS numeric[] LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT coalesce(array_agg(low + (high - low) / steps * n ORDER BY n), '{}') FROM generate_series(1, steps - 1) AS n
$$;
CREATE OR REPLACE FUNCTION rw.interpolated(low bigint, high bigint, steps integer)
RETURNS bigint[] LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT coalesce(array_agg(low + floor((high - low)::numeric / steps)::bigint * n ORDER BY n), '{}')
    FROM generate_series(1, steps - 1) AS n
$$;
CREATE OR REPLACE FUNCTION rw.interpolated(low integer, high integer, steps integer)
RETURNS integer[] LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT rw.interpolated(low::bigint, high::bigint, steps)::integer[]
$$;
CREATE OR REPLACE FUNCTION rw.interpolated(low smallint, high smallint, steps integer)
RETURNS smallint[] LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT rw.interpolated(low::bigint, high::bigint, steps)::smallint[]
$$;
