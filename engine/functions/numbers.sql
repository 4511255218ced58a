-- Numbers. RisingWave docs: "Mathematical functions and operators", "Numeric types".

-- A quotient of decimals as RisingWave's 96-bit decimals give it: up to 28 decimal places, rounded half to even at the last one that
-- fits, trailing zeros left out unless the division is exact within the operands' scales. The operator / of two numerics is this.
CREATE OR REPLACE FUNCTION rw.numeric_div(a numeric, b numeric) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    places constant integer := scale(a) - scale(b);
    quotient numeric;
    room integer;
BEGIN
    IF places IS NULL OR b = 0 THEN
        RETURN numeric_div(a, b);
    END IF;
    quotient := numeric_div(round(a, 40), b);
    room := 29 - length(trunc(abs(quotient))::text);
    IF room > 28 OR trunc(abs(quotient) * 10::numeric ^ room) > 79228162514264337593543950335 THEN
        room := room - 1;
    END IF;
    quotient := trim_scale(round(quotient, least(room, 28)));
    RETURN CASE WHEN places > scale(quotient) AND quotient * b = a THEN round(quotient, places) ELSE quotient END;
END $$;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_operator WHERE oid = '/ (numeric, numeric)'::regoperator AND oprcode <> 'rw.numeric_div'::regproc) THEN
        SET LOCAL allow_system_table_mods = on;
        UPDATE pg_operator SET oprcode = 'rw.numeric_div'::regproc WHERE oid = '/ (numeric, numeric)'::regoperator;
        SET LOCAL allow_system_table_mods = off;
    END IF;
END $$;

CREATE OR REPLACE FUNCTION pg_catalog.coth(double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT 1 / nullif(tanh($1), 0) $$;
