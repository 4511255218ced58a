"""The dashboard's entry: `streamlit run app/main.py`.

Reads TAILRACE_SQL_URL (see app.border); works from any working directory. A new page is a file in app/views
and a line here. Started by `tailrace up`, or by hand.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app.views import live

HERE = Path(__file__).parent


def main() -> None:
    """Run the page that the address names."""
    st.set_page_config(page_title="Tailrace", page_icon=str(HERE / "icon.svg"), layout="wide")
    st.html(HERE / "style.css")
    pages = [st.Page(live.render, title="Live", icon=":material/monitoring:", url_path="live", default=True)]
    st.navigation(pages, position="top").run()


main()
