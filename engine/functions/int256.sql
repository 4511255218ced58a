-- rw_int256: whole numbers of 256 bits. A type of its own over numeric's representation and arithmetic.

DO $make$
BEGIN
    IF to_regtype('pg_catalog.rw_int256') IS NOT NULL THEN RETURN; END IF;
    CREATE TYPE pg_catalog.rw_int256;
    CREATE FUNCTION rw.int256_in(cstring, oid, integer) RETURNS pg_catalog.rw_int256
        LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'numeric_in';
    CREATE FUNCTION rw.int256_out(pg_catalog.rw_int256) RETURNS cstring
        LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'numeric_out';
    CREATE FUNCTION rw.int256_recv(internal, oid, integer) RETURNS pg_catalog.rw_int256
        LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'numeric_recv';
    CREATE FUNCTION rw.int256_send(pg_catalog.rw_int256) RETURNS bytea
        LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'numeric_send';
    CREATE TYPE pg_catalog.rw_int256 (
        INPUT = rw.int256_in, OUTPUT = rw.int256_out, RECEIVE = rw.int256_recv, SEND = rw.int256_send,
        LIKE = pg_catalog.numeric, CATEGORY = 'N'
    );
    CREATE CAST (rw_int256 AS numeric) WITHOUT FUNCTION;

    -- Casts: every integer becomes one, it becomes a float
    CREATE FUNCTION rw.int256_of(smallint) RETURNS rw_int256 LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'int2_numeric';
    CREATE FUNCTION rw.int256_of(integer) RETURNS rw_int256 LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'int4_numeric';
    CREATE FUNCTION rw.int256_of(bigint) RETURNS rw_int256 LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'int8_numeric';
    CREATE FUNCTION rw.int256_to_float(rw_int256) RETURNS double precision
        LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'numeric_float8';
    CREATE FUNCTION rw.int256_of(numeric) RETURNS rw_int256 LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
        AS 'SELECT pg_catalog.trunc($1)::text::rw_int256';
    CREATE CAST (numeric AS rw_int256) WITH FUNCTION rw.int256_of(numeric);
    CREATE CAST (smallint AS rw_int256) WITH FUNCTION rw.int256_of(smallint) AS IMPLICIT;
    CREATE CAST (integer AS rw_int256) WITH FUNCTION rw.int256_of(integer) AS IMPLICIT;
    CREATE CAST (bigint AS rw_int256) WITH FUNCTION rw.int256_of(bigint) AS IMPLICIT;
    CREATE CAST (rw_int256 AS double precision) WITH FUNCTION rw.int256_to_float(rw_int256) AS IMPLICIT;

    -- Arithmetic and order
    CREATE FUNCTION rw.int256_add(rw_int256, rw_int256) RETURNS rw_int256 LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'numeric_add';
    CREATE FUNCTION rw.int256_sub(rw_int256, rw_int256) RETURNS rw_int256 LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'numeric_sub';
    CREATE FUNCTION rw.int256_mul(rw_int256, rw_int256) RETURNS rw_int256 LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'numeric_mul';
    CREATE FUNCTION rw.int256_div(rw_int256, rw_int256) RETURNS rw_int256 LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'numeric_div_trunc';
    CREATE FUNCTION rw.int256_mod(rw_int256, rw_int256) RETURNS rw_int256 LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'numeric_mod';
    CREATE FUNCTION rw.int256_minus(rw_int256) RETURNS rw_int256 LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'numeric_uminus';
    CREATE FUNCTION pg_catalog.abs(rw_int256) RETURNS rw_int256 LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'numeric_abs';
    CREATE OPERATOR pg_catalog.+ (LEFTARG = rw_int256, RIGHTARG = rw_int256, FUNCTION = rw.int256_add, COMMUTATOR = OPERATOR(pg_catalog.+));
    CREATE OPERATOR pg_catalog.- (LEFTARG = rw_int256, RIGHTARG = rw_int256, FUNCTION = rw.int256_sub);
    CREATE OPERATOR pg_catalog.* (LEFTARG = rw_int256, RIGHTARG = rw_int256, FUNCTION = rw.int256_mul, COMMUTATOR = OPERATOR(pg_catalog.*));
    CREATE OPERATOR pg_catalog./ (LEFTARG = rw_int256, RIGHTARG = rw_int256, FUNCTION = rw.int256_div);
    CREATE OPERATOR pg_catalog.% (LEFTARG = rw_int256, RIGHTARG = rw_int256, FUNCTION = rw.int256_mod);
    CREATE OPERATOR pg_catalog.- (RIGHTARG = rw_int256, FUNCTION = rw.int256_minus);
    CREATE FUNCTION rw.int256_eq(rw_int256, rw_int256) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'numeric_eq';
    CREATE FUNCTION rw.int256_ne(rw_int256, rw_int256) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'numeric_ne';
    CREATE FUNCTION rw.int256_lt(rw_int256, rw_int256) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'numeric_lt';
    CREATE FUNCTION rw.int256_le(rw_int256, rw_int256) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'numeric_le';
    CREATE FUNCTION rw.int256_gt(rw_int256, rw_int256) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'numeric_gt';
    CREATE FUNCTION rw.int256_ge(rw_int256, rw_int256) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'numeric_ge';
    CREATE FUNCTION rw.int256_cmp(rw_int256, rw_int256) RETURNS integer LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'numeric_cmp';
    CREATE FUNCTION rw.int256_hash(rw_int256) RETURNS integer LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'hash_numeric';
    CREATE OPERATOR pg_catalog.= (LEFTARG = rw_int256, RIGHTARG = rw_int256, FUNCTION = rw.int256_eq, COMMUTATOR = OPERATOR(pg_catalog.=),
        NEGATOR = OPERATOR(pg_catalog.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
    CREATE OPERATOR pg_catalog.<> (LEFTARG = rw_int256, RIGHTARG = rw_int256, FUNCTION = rw.int256_ne, COMMUTATOR = OPERATOR(pg_catalog.<>),
        NEGATOR = OPERATOR(pg_catalog.=), RESTRICT = neqsel, JOIN = neqjoinsel);
    CREATE OPERATOR pg_catalog.< (LEFTARG = rw_int256, RIGHTARG = rw_int256, FUNCTION = rw.int256_lt, COMMUTATOR = OPERATOR(pg_catalog.>),
        NEGATOR = OPERATOR(pg_catalog.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
    CREATE OPERATOR pg_catalog.<= (LEFTARG = rw_int256, RIGHTARG = rw_int256, FUNCTION = rw.int256_le, COMMUTATOR = OPERATOR(pg_catalog.>=),
        NEGATOR = OPERATOR(pg_catalog.>), RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
    CREATE OPERATOR pg_catalog.> (LEFTARG = rw_int256, RIGHTARG = rw_int256, FUNCTION = rw.int256_gt, COMMUTATOR = OPERATOR(pg_catalog.<),
        NEGATOR = OPERATOR(pg_catalog.<=), RESTRICT = scalargtsel, JOIN = scalargtjoinsel);
    CREATE OPERATOR pg_catalog.>= (LEFTARG = rw_int256, RIGHTARG = rw_int256, FUNCTION = rw.int256_ge, COMMUTATOR = OPERATOR(pg_catalog.<=),
        NEGATOR = OPERATOR(pg_catalog.<), RESTRICT = scalargesel, JOIN = scalargejoinsel);
    CREATE OPERATOR CLASS rw.int256_btree DEFAULT FOR TYPE rw_int256 USING btree AS
        OPERATOR 1 pg_catalog.<, OPERATOR 2 pg_catalog.<=, OPERATOR 3 pg_catalog.=, OPERATOR 4 pg_catalog.>=, OPERATOR 5 pg_catalog.>,
        FUNCTION 1 rw.int256_cmp(rw_int256, rw_int256);
    CREATE OPERATOR CLASS rw.int256_hashed DEFAULT FOR TYPE rw_int256 USING hash AS
        OPERATOR 1 pg_catalog.=, FUNCTION 1 rw.int256_hash(rw_int256);

    -- Aggregates: sums stay whole, averages and deviations are floats
    CREATE FUNCTION rw.int256_smaller(rw_int256, rw_int256) RETURNS rw_int256 LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'numeric_smaller';
    CREATE FUNCTION rw.int256_larger(rw_int256, rw_int256) RETURNS rw_int256 LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'numeric_larger';
    CREATE FUNCTION rw.int256_accumulate(double precision[], rw_int256) RETURNS double precision[]
        LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS 'SELECT pg_catalog.float8_accum($1, $2::double precision)';
    CREATE AGGREGATE pg_catalog.sum(rw_int256) (SFUNC = rw.int256_add, STYPE = rw_int256, COMBINEFUNC = rw.int256_add, PARALLEL = SAFE);
    CREATE AGGREGATE pg_catalog.min(rw_int256) (SFUNC = rw.int256_smaller, STYPE = rw_int256, COMBINEFUNC = rw.int256_smaller,
        SORTOP = OPERATOR(pg_catalog.<), PARALLEL = SAFE);
    CREATE AGGREGATE pg_catalog.max(rw_int256) (SFUNC = rw.int256_larger, STYPE = rw_int256, COMBINEFUNC = rw.int256_larger,
        SORTOP = OPERATOR(pg_catalog.>), PARALLEL = SAFE);
    CREATE AGGREGATE pg_catalog.avg(rw_int256) (SFUNC = rw.int256_accumulate, STYPE = double precision[], FINALFUNC = float8_avg, INITCOND = '{0,0,0}');
    CREATE AGGREGATE pg_catalog.stddev_pop(rw_int256) (SFUNC = rw.int256_accumulate, STYPE = double precision[], FINALFUNC = float8_stddev_pop, INITCOND = '{0,0,0}');
    CREATE AGGREGATE pg_catalog.stddev_samp(rw_int256) (SFUNC = rw.int256_accumulate, STYPE = double precision[], FINALFUNC = float8_stddev_samp, INITCOND = '{0,0,0}');
    CREATE AGGREGATE pg_catalog.var_pop(rw_int256) (SFUNC = rw.int256_accumulate, STYPE = double precision[], FINALFUNC = float8_var_pop, INITCOND = '{0,0,0}');
    CREATE AGGREGATE pg_catalog.var_samp(rw_int256) (SFUNC = rw.int256_accumulate, STYPE = double precision[], FINALFUNC = float8_var_samp, INITCOND = '{0,0,0}');
END $make$;

-- Hexadecimal digits, 0x before them or not, as a signed number of 256 bits.
CREATE OR REPLACE FUNCTION pg_catalog.hex_to_int256(digits text) RETURNS rw_int256
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    hex text := regexp_replace(lower(digits), '^0x', '');
    total rw_int256 := 0::integer::rw_int256;  -- not a numeric, whose arithmetic ends at 28 digits
BEGIN
    IF hex !~ '^[0-9a-f]{1,64}$' THEN
        RAISE EXCEPTION 'Parse error: failed to parse %', digits USING ERRCODE = '22P02';
    END IF;
    hex := lpad(hex, 64, '0');
    FOR place IN 0..15 LOOP  -- four digits at a time
        total := total * 65536::rw_int256 + (('x' || lpad(substr(hex, place * 4 + 1, 4), 8, '0'))::bit(32)::integer)::rw_int256;
    END LOOP;
    IF hex >= '8' THEN  -- less 2^256
        total := total - '115792089237316195423570985008687907853269984665640564039457584007913129639936'::rw_int256;
    END IF;
    RETURN total;
END $$;
