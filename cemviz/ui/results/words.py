"""Words of the results tab: a table of the papers as cards with both numbers, its claims, and how every table stands."""

from html import escape
from typing import Any, Final

from ...backend.tables import EXPERIMENTS
from ...backend.tables.reproduce import results
from ...backend.tables.verdicts import DEVIATIONS
from ..numbers import minus

Row = dict[str, Any]
"""A number with what it rests on, as in checkpoints/results/TARGET.json."""

INTRO: Final = """The papers' numbers beside ours. **Compare orders, not numbers**: data, nets and budgets differ, and each
table says how. ± is a standard deviation: over seeds, joined with what other images would change. A claim is decided where
the gap exceeds two standard deviations of the difference, for samples before two judges that agree, and undecided otherwise,
whichever way it leans. All are shown."""

MEANS: Final = {
    "range": "highest minus lowest energy in the window; lower is flatter",
    "depth": "the image's energy above the lowest in the window; lower is better",
    "offset": "how far the lowest energy lies from the image, L2; lower is better",
    "natural": "right on test images as they are; higher is better",
    "robust": "right under attack; higher is better",
    "FGSM": "right under an attack of one step; higher is better",
    "PGD": "right under attack; higher is better",
    "mnist": "right on test images; lower is a stronger attack",
    "cifar10": "right on test images; lower is a stronger attack",
    "IS": "inception score: samples sure and varied to the extractor; higher is better",
    "FID": "distance of samples from test images in the extractor's features; lower is better",
    "JFS at equal": "the same with logits scaled to one norm, since a score shrinks with the logits alone",
    "MFS at equal": "the same with logits scaled to one norm, since a score shrinks with the logits alone",
    "JFS": "Fisher score of E(x, y) on test images, JEAT (23); lower is better in the paper",
    "MFS": "Fisher score of E(x) on test images, JEAT (24); lower is better in the paper",
    "precision": "share of samples that lie among real images; higher is better",
    "recall": "share of real images that lie among samples; higher is better",
    "best by": "value that draws best, of those that were swept",
    "α": "step that draws best, pixel units",
    "β": "radius of the ball that draws best, pixel units",
    "η": "noise that draws best, standard deviation per pixel",
    "K": "updates that draw best",
    "SSIM": "likeness of restored and original images; higher is better",
    "share": "share of the probes",
}
"""Beginning of a column's name -> what it measures, for readers new to it; the first that fits counts."""

RATES: Final = ("natural", "robust", "FGSM", "PGD", "mnist", "cifar10", "share")
"""Beginnings of the names of columns of rates: shown in per cent, as the papers do."""


def figure(value: float | None, column: str, digits: int = 4) -> str:
    """A number as the papers print it."""
    if value is None:
        return "–"
    return minus(f"{100 * value:.1f} %" if column.startswith(RATES) else f"{value:.{digits}g}")


def table_html(table: dict[str, Any]) -> str:
    """A table of results: what differs from the paper, its claims, a card a column, and the command that makes it."""
    rows = table["rows"]
    caution = "" if any(row["spread"] is not None for row in rows) else "<p>No spread is known, so nothing is decided.</p>"
    return (
        f'<div class="cem-results"><h3>{escape(table["source"])}: {escape(table["title"])}</h3>'
        f"<p>{escape(table['about'])}</p>{picture_link(table['table'])}<h4>The paper's claims</h4>{stated(table)}"
        f"{claims(table, rows)}{caution}"
        f'<div class="cem-cards">{"".join(card(*each) for each in cards(rows))}</div>'
        f"<p>Made on {table['date']} by {command(table['command'])}</p></div>"
    )


SEE: Final = {
    "draws": "?tab=sampling&s.story=robust-standard", "cem-1": "?tab=sampling&s.story=robust-standard",
    "cem-2": "?tab=sampling&s.story=rcs-ta",
    "cem-3": "?tab=robustness&a=mnist-at-linf", "cem-4": "?tab=sampling&s.story=simclr-uat",
    "cem-5": "?tab=lab&a=mnist-at&k.sampler=rcs", "cem-fig-2": "?tab=lab&a=mnist-at&k.sampler=rcs&k.over=noise,steps",
    "cem-fig-3": "?tab=lab&a=mnist-uat&k.sampler=maxent&k.over=noise,steps", "cem-25": "?tab=robustness&a=mnist-at-cr",
    "jeat-1": "?tab=robustness&a=mnist-standard", "jeat-2": "?tab=sampling&s.story=jeat-hero",
    "jeat-3": "?tab=robustness&a=mnist-jeat", "jeat-fig-2": "?tab=landscape&l.story=jeat-fig-2",
    "jeat-fig-3": "?tab=training", "jeat-fig-5": "?tab=sampling&s.story=jeat-fig-5",
    "thesis-2.5": "?tab=sampling&s.story=binary", "thesis-2.7": "?tab=restore&re.task=denoise",
    "thesis-2.8": "?tab=restore&re.task=inpaint", "thesis-fig-2.9": "?tab=restore&re.task=translate",
    "thesis-2.11": "?tab=lab&a=mnist-binary&k.sampler=ascent", "thesis-stability": "?tab=playground&p.preset=ebm",
    "detectors": "?tab=detect&a=mnist-detectors", "thesis-fig-3.2": "?tab=detect&a=mnist-detectors",
    "thesis-3.12": "?tab=detect&a=mnist-detectors-l2", "thesis-3.14": "?tab=detect&a=mnist-detectors-l2",
}  # fmt: skip
"""Tables -> address of a picture in which one sees what they count."""


def picture_link(target: str) -> str:
    """A link to the picture that shows a table's claims; "" where there is none."""
    return f'<p><a href="{escape(SEE[target])}">See it ›</a></p>' if target in SEE else ""


VERDICTS: Final = {True: ("holds", "✓", "holds"), False: ("fails", "✗", "does not hold"), None: ("open", "?", "undecided")}
"""Verdict on a claim -> class, sign and words."""


def statements(orders: list[dict[str, Any]]) -> dict[str, bool | None]:
    """How the statements of a table stand all of whose claims are comparisons, each with its statement before a colon.

    A statement holds where all its comparisons do, and does not where one fails.
    """
    parts: dict[str, list[bool | None]] = {}
    for order in orders:
        statement, colon, _ = order["claim"].partition(": ")
        if not colon or statement == "ours":
            return {}
        parts.setdefault(statement, []).append(order["holds"])
    return {statement: True if all(holds) else False if False in holds else None for statement, holds in parts.items()}


def stated(table: dict[str, Any]) -> str:
    """The statements of a table, as its claims stand together."""
    lines = [
        f'<li class="cem-{name}"><b><span aria-hidden="true">{sign}</span> {verdict}</b><span>{escape(statement)} '
        f"<small>(all comparisons of it below)</small></span></li>"
        for statement, holds in statements(table["orders"]).items()
        for name, sign, verdict in [VERDICTS[holds]]
    ]
    return f'<ul class="cem-claims">{"".join(lines)}</ul><h4>Comparison by comparison</h4>' if lines else ""


def claims(table: dict[str, Any], rows: list[Row]) -> str:
    """Each claim and how it stands here, decided ones first: in words and with a sign, never by colour alone."""
    if not table["orders"]:
        return "<p>None that this table could test.</p>"
    points = all(row["column"].startswith(RATES) for row in rows)
    several = any(row["seeds"] > 1 for row in rows)
    lines = []
    for order in sorted(table["orders"], key=lambda order: order["holds"] is None):
        alone = ", one training" if several and order.get("seeds") == 1 else ""
        name, sign, verdict = VERDICTS[order["holds"]]
        lines.append(
            f'<li class="cem-{name}"><b><span aria-hidden="true">{sign}</span> {verdict}</b>'
            f"<span>{escape(order['claim'])} <small>({margin(order, points)}{alone})</small></span></li>"
        )
    return f'<ul class="cem-claims">{"".join(lines)}</ul>'


def margin(order: dict[str, Any], points: bool) -> str:
    """By how much a claim holds or fails, and what keeps an undecided one from either."""
    decided = order["holds"] is not None
    words = gap(order, points, decided)
    if order.get("alone"):
        return f"{words}; only one judge saw it"
    return f"{words}; to the second judge {gap(order['second'], points, decided)}" if "second" in order else words


def gap(side: dict[str, Any], points: bool, decided: bool) -> str:
    """By how much a claim holds to one judge, and how far that scatters where it is not decided."""
    if side["by"] is None:
        return "not measured"
    size = f"{100 * abs(side['by']):.1f} points" if points else f"{abs(side['by']):.3g}"
    leans = "no difference" if side["by"] == 0 else f"by {size}" if side["by"] > 0 else f"{size} the other way"
    if decided:
        return leans
    spread = side.get("spread")
    if spread is None:
        return f"{leans}, and no spread is known"
    inside = "within" if abs(side["by"]) <= DEVIATIONS * spread else "beyond"
    return f"{leans}, {inside} twice {f'{100 * spread:.1f}' if points else f'{spread:.2g}'}"


def cards(rows: list[Row]) -> list[tuple[str, list[str], list[Row]]]:
    """A card a column, since orders are read down one; a card a model where every column holds one number only.

    Returns:
        title, what stands in front of each row, and the rows.
    """
    by, along = ("column", "name")
    if len({row["column"] for row in rows}) == len(rows):
        by, along = along, by
    titles = dict.fromkeys(row[by] for row in rows)
    grouped = {title: [row for row in rows if row[by] == title] for title in titles}
    return [(title, [row[along] for row in members], members) for title, members in grouped.items()]


def card(title: str, names: list[str], rows: list[Row]) -> str:
    """Both numbers of some rows, written and drawn; below them what all rest on, and by mark what some do."""
    shared = [fact for fact in facts(rows[0]) if all(fact in facts(row) for row in rows)]
    marks = {fact: k for k, fact in enumerate(dict.fromkeys(f for row in rows for f in facts(row) if f not in shared), 1)}
    nets, span = [source(row) for row in rows], extent(rows)
    alike = len(set(nets)) == 1
    body = ""
    for name, net, row in zip(names, nets, rows, strict=True):
        footnotes = ", ".join(str(marks[fact]) for fact in facts(row) if fact in marks)
        spread = "" if row["spread"] is None else f" <small>± {figure(row['spread'], row['column'], 2)}</small>"
        ours = "not run" if row["ours"] is None else f"<b>{figure(row['ours'], row['column'])}</b>{spread}"
        picture = strip(row, span) + ("" if alike or not net else f"<small>{escape(net)}</small>")
        body += (
            f'<tr><th scope="row">{escape(name)}{f"<sup>{footnotes}</sup>" if footnotes else ""}</th>'
            f"<td>{figure(row['paper'], row['column'])}</td><td>{ours}</td><td>{seeds(row)}</td></tr>"
        ) + (f'<tr class="cem-made"><td colspan="4">{picture}</td></tr>' if picture else "")
    head = "".join(f'<th scope="col">{text}</th>' for text in ("paper", "ours", "seeds"))
    means = next((words for start, words in MEANS.items() if title.startswith(start)), "")
    notes = "".join(f"<li>{escape(fact)}</li>" for fact in marks)
    rest = "; ".join([*([nets[0]] if alike and nets[0] else []), *shared])
    return (
        f'<section class="cem-card"><div><h4>{escape(title)}</h4>{f"<p>{means}</p>" if means else ""}</div>'
        f'<table class="cem-numbers"><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>'
        f'<div class="cem-note"><p>{escape(rest)}</p>{f"<ol>{notes}</ol>" if notes else ""}</div></section>'
    )


CHAIN: Final = {"sampler": "", "start": "from ", "step": "α ", "radius": "β ", "noise": "η ", "steps": "K "}
"""Settings of a measure that tell how samples were drawn -> words before their values."""


def source(row: Row) -> str:
    """The net that a number is of, what differs from its recipe, and how it was sampled; "" where nothing was made."""
    net, *rest = row.get("measure", "").split() or [""]
    if row["ours"] is None or not net:
        return ""
    numbers = dict(word.split("=", 1) for word in rest if "=" in word)
    changed = [word for word in rest if "=" in word and ":" in word]
    chains = [f"{words}{numbers[name]}" for name, words in CHAIN.items() if name in numbers and "sampler" in numbers]
    return ", ".join([" ".join([net, *changed]), *chains])


def extent(rows: list[Row]) -> tuple[float, float]:
    """Lowest and highest of several numbers of ours, with their spread; twice 0 where there is nothing to compare."""
    ends = [row["ours"] + sign * (row["spread"] or 0) for row in rows if row["ours"] is not None for sign in (-1, 1)]
    return (min(ends), max(ends)) if len(ends) > 2 else (0.0, 0.0)


def strip(row: Row, span: tuple[float, float]) -> str:
    """A number of ours with its spread as a mark on the scale of its card; it is written beside it, and not read out twice."""
    low, high = span
    if row["ours"] is None or not high > low:
        return ""

    def at(value: float) -> str:
        return f"{3 + 94 * (value - low) / (high - low):.1f}"

    around = row["spread"] or 0
    bar = f'<line class="cem-bar" x1="{at(row["ours"] - around)}" x2="{at(row["ours"] + around)}" y1="2" y2="2"/>'
    return (
        '<svg class="cem-strip" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">'
        f'<line x1="0" x2="100" y1="2" y2="2"/>{bar}<rect x="{at(row["ours"])}" width="1" y="0" height="4"/></svg>'
    )


def seeds(row: Row) -> str:
    """How many trainings a number rests on and, where one model drew several times, how many draws."""
    if not row["seeds"]:
        return "–"
    draws = row.get("draws") or 1
    return f"{row['seeds']}, drawn {draws}×" if draws > 1 and row["seeds"] == 1 else f"{row['seeds']}"


RESAMPLED: Final = {
    "binomial": "binomial for that many images",
    "splits": "over the splits of the samples",
    "jackknife": "jackknife over tenths of the images",
    "images": "over images",
    "real images": "of as many real images, at least",
}
"""Source of a standard error -> what it is, in words."""


def scatter(row: Row) -> str:
    """Words for the parts that the ± of a number joins."""
    parts = ["deviation over seeds"] if row.get("deviation") else []
    if row.get("resampled"):
        parts.append(f"standard error {RESAMPLED.get(row['resampled'], row['resampled'])}")
    return f"±: {' and '.join(parts)}" if parts and row["spread"] is not None else ""


def facts(row: Row) -> list[str]:
    """Facts about a number: what it rests on, and what there is to say about it."""
    split = f"images of the {row['split']} split" if row["split"] else "images"
    counted = "probes of a run" if "Δ" in row["column"] else split
    parts = [
        f"{row['count']:,} {counted}" if row["count"] else "",
        f"extractor {row['extractor']}" if row["extractor"] else "",
        f"models of scale {row['scale']}" if row["scale"] and row["ours"] is not None else "",
        scatter(row),
        *row["note"].split("; "),
    ]
    return [fact for fact in parts if fact]


def one_table(target: str) -> str:
    """One table, or how to make it."""
    tables = results()
    if target in tables:
        return table_html(tables[target])
    row = EXPERIMENTS[target]
    claimed = "".join(f"<li><b>not tested yet</b><span>{escape(order.claim)}</span></li>" for order in row.orders)
    return (
        f'<div class="cem-results"><h3>{escape(row.source)}: {escape(row.title)}</h3><p>{escape(row.about)}</p>'
        f"<p><b>Not made yet.</b> Make it with {command(f'python -m cemviz reproduce {target}')}</p>"
        + (f'<h4>The paper\'s claims</h4><ul class="cem-claims">{claimed}</ul>' if claimed else "")
        + "</div>"
    )


def command(text: str) -> str:
    """A command line, breaking between its words only, and a copy of it has plain hyphens."""
    return f"<code>{' '.join(f'<span>{escape(word)}</span>' for word in text.split())}</code>"


def title(target: str) -> str:
    """A table in the menu: where it stands in the papers, and what it is about."""
    row = EXPERIMENTS[target]
    return f"{row.source}: {row.title}"


def total() -> str:
    """How many of the papers' claims hold here, how many do not, and how many are undecided."""
    tables = results()
    if not tables:
        return "No table is made yet."
    verdicts = [order["holds"] for table in tables.values() for order in table["orders"]]
    scope = f"in the {len(tables)} of {len(EXPERIMENTS)} tables that are made so far"
    return f"Of the papers' claims **{counted(verdicts)}**, {scope}. All are listed below."


def counted(verdicts: list[bool | None]) -> str:
    """How claims stand, each way apart; what is undecided neither holds nor fails."""
    each = (
        (True, "holds" if verdicts.count(True) == 1 else "hold"),
        (False, "does not" if verdicts.count(False) == 1 else "do not"),
        (None, "undecided"),
    )
    return ", ".join(f"{count} {words}" for verdict, words in each if (count := verdicts.count(verdict))) or "no claim"


ORDERS: Final = {"papers": "as in the papers", "hold": "most that hold first", "fail": "most that fail first"}
"""Orders of the overview -> words."""


def overview(by: str = "papers") -> str:
    """Every table: how its claims stand, or the command that makes it.

    Args:
        by: key of ORDERS; any other is the first one.
    """
    tables = results()
    verdicts = {target: [order["holds"] for order in table["orders"]] for target, table in tables.items()}
    wanted = {"hold": True, "fail": False}.get(by)
    targets = list(EXPERIMENTS)
    if wanted is not None:
        targets.sort(key=lambda target: -verdicts.get(target, []).count(wanted))
    lines = "".join(
        f'<li><a href="?tab=results&amp;r.table={target}"><b>{escape(EXPERIMENTS[target].source)}</b>: '
        f"{escape(EXPERIMENTS[target].title)}</a><span>{standing(target, tables.get(target))}</span></li>"
        for target in targets
    )
    return f'<h3>All tables</h3><ul class="cem-tables">{lines}</ul>'


def standing(target: str, table: dict[str, Any] | None) -> str:
    """How a table stands."""
    if table is None:
        return f"not made yet: {command(f'python -m cemviz reproduce {target}')}"
    verdicts = [order["holds"] for order in table["orders"]]
    return counted(verdicts) if verdicts else "made; no claim to test"
