"""The anomaly rules as the page shows them: one colour and one shape each, in the table as in the chart.

Shapes differ as well as colours, for those who do not tell red from green. Called by the sections and charts.
"""

from __future__ import annotations

from typing import Final

COLOURS: Final = {"threshold": "#c8415a", "zscore": "#d9772b", "stuck": "#7a62c4", "silent": "#66788a"}

SHAPES: Final = {"threshold": "triangle-up", "zscore": "diamond", "stuck": "square", "silent": "cross"}
