"""Vega-Lite specifications, made with Altair once and kept; only their data change.

A specification that stays the same object for the browser is updated in place; a new one would be drawn
anew, which is the flicker of live pages. So nothing that changes between refreshes (ranges, limits) may
stand in a specification: it goes into a named data set.
"""
