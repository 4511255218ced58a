-- JSON. RisingWave docs: "JSON functions and operators".

CREATE OR REPLACE FUNCTION pg_catalog.jsonb_to_array(jsonb) RETURNS jsonb[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT CASE jsonb_typeof($1) WHEN 'null' THEN NULL ELSE ARRAY(SELECT jsonb_array_elements($1)) END $$;
