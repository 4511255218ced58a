"""The page's border: where a section meets what can go wrong, and where the shared feeds are found.

One of the three places of the project that catch everything: a viewer sees a calm sentence and what to do,
the log gets the trace, and the next refresh tries again. Called by every section.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from app.database import EngineUnreachableError, PipelineMissingError
from app.feeds import Feeds
from tailrace.config import sql_url

logger = logging.getLogger(__name__)


@st.cache_resource(show_spinner=False, on_release=lambda feeds: feeds.close())
def _feeds_of(url: str) -> Feeds:
    return Feeds(url)


def feeds() -> Feeds:
    """The feeds of the endpoint in TAILRACE_SQL_URL, one for the whole process."""
    return _feeds_of(sql_url())


@contextmanager
def border(section: str) -> Iterator[None]:
    """Show what went wrong in `section` calmly instead of raising it."""
    try:
        yield
    except EngineUnreachableError:
        # The banner at the head of the page (app.sections.status) says it once for all sections.
        st.caption(f":material/hourglass_empty: {section}: waiting for the engine …")
    except PipelineMissingError as error:
        logger.info("%s: %s", section, error)
        st.caption(
            f":material/hourglass_empty: {section}: its views are not there yet. "
            "Run `tailrace up` to create them."
        )
    except Exception:
        logger.exception("dashboard section %r failed", section)
        st.warning(
            f"{section} could not be shown. The reason is in the dashboard's log; "
            "the next refresh tries again.",
            icon=":material/error:",
        )
