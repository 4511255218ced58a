"""Relations of rw_catalog that are found without their schema: all that there are."""

from __future__ import annotations

import re

from engine.catalog import risingwave, visible
from engine.wire.catalog_rewrite import rewrite_catalog
from tailrace.sql import parse_query
from tailrace.sql.system_relations import RW_CATALOG, qualify_system


def test_every_relation_is_known() -> None:
    made = re.findall(r"CREATE VIEW rw_catalog\.(rw_\w+)", visible.VISIBLE + risingwave.visible())
    assert sorted(made) == sorted(RW_CATALOG)


def test_names_get_their_schema() -> None:
    assert rewrite_catalog("SELECT rw_tables.name FROM rw_tables, rw_sinks AS s") == (
        "SELECT rw_tables.name FROM rw_catalog.rw_tables, rw_catalog.rw_sinks AS s"
    )
    assert rewrite_catalog("SELECT name FROM rw_catalog.rw_tables") == "SELECT name FROM rw_catalog.rw_tables"


def test_names_in_views_get_their_schema_but_ctes_do_not() -> None:
    query = parse_query("WITH rw_sinks AS (SELECT 1 AS a) SELECT * FROM rw_sinks, rw_tables AS t")
    assert qualify_system(query)
    assert (
        query.sql("postgres")
        == "WITH rw_sinks AS (SELECT 1 AS a) SELECT * FROM rw_sinks, rw_catalog.rw_tables AS t"
    )
    assert not qualify_system(parse_query("SELECT * FROM t"))
