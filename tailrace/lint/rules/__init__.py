"""All lint rules, a file each; the order is that of `tailrace lint --rules`."""

from tailrace.lint.rule import Rule
from tailrace.lint.rules import (
    close_without_watermark,
    float_sum,
    join_without_condition,
    limit_without_order,
    local_time,
    no_retention,
    not_deterministic,
    not_in_null,
    now_in_result,
    order_without_limit,
    select_star,
    sink_without_key,
    snake_case,
    source_without_watermark,
    unaccounted_cast,
    unbounded_window,
    unread,
)

RULES: tuple[Rule, ...] = (
    close_without_watermark.RULE,
    float_sum.RULE,
    join_without_condition.RULE,
    limit_without_order.RULE,
    local_time.RULE,
    no_retention.RULE,
    not_deterministic.RULE,
    not_in_null.RULE,
    now_in_result.RULE,
    order_without_limit.RULE,
    select_star.RULE,
    sink_without_key.RULE,
    snake_case.RULE,
    source_without_watermark.RULE,
    unaccounted_cast.RULE,
    unbounded_window.RULE,
    unread.RULE,
)
