"""Tables of the papers that were stored, brought to what their experiments ask and claim now."""

from cemviz.backend.tables import EXPERIMENTS, judge
from cemviz.backend.tables.rows import completed, kept


def revised(target: str, table: dict) -> dict:
    """A stored table with its spreads, notes and verdicts made anew, without measuring anything."""
    it, before = EXPERIMENTS[target], {(row["name"], row["column"]): row for row in table["rows"]}
    rows = completed([kept(place, it, before.get(place)) for place in it.cells])
    head = {"table": target, "title": it.title, "source": it.source, "about": it.about}
    return table | head | {"rows": rows, "orders": judge(it.orders, rows)}
