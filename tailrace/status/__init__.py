"""`tailrace status`: what runs behind an SQL URL, how large it is and how far behind."""

from tailrace.status.read import Status, read_status
from tailrace.status.show import show_status

__all__ = ["Status", "read_status", "show_status"]
