"""What it would take to bring a running database to what the files say: read, compared, told, and written down."""

from tailrace.plan.deployed import Deployed, read_deployed
from tailrace.plan.plan import Change, Plan, What, make_plan

__all__ = ["Change", "Deployed", "Plan", "What", "make_plan", "read_deployed"]
