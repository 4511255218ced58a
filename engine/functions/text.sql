-- Text and bytes that PostgreSQL lacks. RisingWave docs: "String functions and operators", "Cryptographic functions".

CREATE OR REPLACE FUNCTION pg_catalog.inet_aton(text) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT CASE WHEN $1 ~ '^\d+\.\d+\.\d+\.\d+$' THEN $1::inet - '0.0.0.0'::inet ELSE $1::cidr - '0.0.0.0'::inet END $$;

CREATE OR REPLACE FUNCTION pg_catalog.inet_ntoa(bigint) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT host('0.0.0.0'::inet + $1) $$;

CREATE OR REPLACE FUNCTION pg_catalog.secure_compare(text, text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT $1 = $2 $$;

-- The wire format of a bigint: eight bytes, the highest first.
CREATE OR REPLACE FUNCTION pg_catalog.int8recv(bytea) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF length($1) <> 8 THEN
        RAISE EXCEPTION 'could not convert slice to array' USING ERRCODE = '22P03', HINT = 'a bigint has eight bytes';
    END IF;
    RETURN ('x' || encode($1, 'hex'))::bit(64)::bigint;
END $$;

CREATE OR REPLACE FUNCTION pg_catalog.sha1(bytea) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    low constant bigint := 4294967295;
    message bytea := $1 || '\x80'::bytea || decode(repeat('00', (119 - length($1) % 64) % 64), 'hex') || int8send(8::bigint * length($1));
    h0 bigint := 1732584193; h1 bigint := 4023233417; h2 bigint := 2562383102; h3 bigint := 271733878; h4 bigint := 3285377520;
    a bigint; b bigint; c bigint; d bigint; e bigint; f bigint; k bigint; t bigint;
    w bigint[];
BEGIN
    FOR block IN 0 .. length(message) / 64 - 1 LOOP
        FOR i IN 0 .. 15 LOOP
            w[i] := ('x' || encode(substr(message, block * 64 + i * 4 + 1, 4), 'hex'))::bit(32)::bigint & low;
        END LOOP;
        FOR i IN 16 .. 79 LOOP
            t := w[i - 3] # w[i - 8] # w[i - 14] # w[i - 16];
            w[i] := ((t << 1) & low) | (t >> 31);
        END LOOP;
        a := h0; b := h1; c := h2; d := h3; e := h4;
        FOR i IN 0 .. 79 LOOP
            IF i < 20 THEN f := (b & c) | (~b & low & d); k := 1518500249;
            ELSIF i < 40 THEN f := b # c # d; k := 1859775393;
            ELSIF i < 60 THEN f := (b & c) | (b & d) | (c & d); k := 2400959708;
            ELSE f := b # c # d; k := 3395469782;
            END IF;
            t := ((((a << 5) & low) | (a >> 27)) + f + e + k + w[i]) & low;
            e := d; d := c; c := ((b << 30) & low) | (b >> 2); b := a; a := t;
        END LOOP;
        h0 := (h0 + a) & low; h1 := (h1 + b) & low; h2 := (h2 + c) & low; h3 := (h3 + d) & low; h4 := (h4 + e) & low;
    END LOOP;
    RETURN decode(lpad(to_hex(h0), 8, '0') || lpad(to_hex(h1), 8, '0') || lpad(to_hex(h2), 8, '0') || lpad(to_hex(h3), 8, '0')
        || lpad(to_hex(h4), 8, '0'), 'hex');
END $$;

CREATE OR REPLACE FUNCTION rw.xor_byte(bytea, integer) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT string_agg(set_byte('\x00'::bytea, 0, get_byte($1, i) # $2), ''::bytea ORDER BY i) FROM generate_series(0, length($1) - 1) AS i $$;

-- RFC 2104 over the two hashes that RisingWave offers.
CREATE OR REPLACE FUNCTION pg_catalog.hmac(secret text, payload bytea, algorithm text) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    key bytea := convert_to(secret, 'UTF8');
BEGIN
    IF algorithm NOT IN ('sha1', 'sha256') THEN
        RAISE EXCEPTION 'Unsupported SHA variant: %', algorithm USING ERRCODE = '22023', HINT = 'use sha1 or sha256';
    END IF;
    IF length(key) > 64 THEN
        key := CASE algorithm WHEN 'sha1' THEN sha1(key) ELSE sha256(key) END;
    END IF;
    key := key || decode(repeat('00', 64 - length(key)), 'hex');
    IF algorithm = 'sha1' THEN
        RETURN sha1(rw.xor_byte(key, 92) || sha1(rw.xor_byte(key, 54) || payload));
    END IF;
    RETURN sha256(rw.xor_byte(key, 92) || sha256(rw.xor_byte(key, 54) || payload));
END $$;

-- Every match, with or without the flag g.
CREATE OR REPLACE FUNCTION rw.regexp_matches(text, text, text DEFAULT '') RETURNS SETOF text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.regexp_matches($1, $2, $3 || 'g') $$;

-- Letters without their accents; everything else stays.
CREATE OR REPLACE FUNCTION rw.to_ascii(text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT translate($1, 'ÁÀÂÃáàâãČĆÇčćçĎďÉÈÊẼéèêẽÍÌÎĨíìîĩĽľŇňÓÒÔÕóòôõŔŕŠŚšśŤťÚÙÛŨúùûũÝỲýỳŽŹŻžźż',
        'AAAAaaaaCCCcccDdEEEEeeeeIIIIiiiiLlNnOOOOooooRrSSssTtUUUUuuuuYYyyZZZzzz')
$$;
