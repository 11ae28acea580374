"""A status page's history as an RSS feed: what people wrote of each incident, the newest first."""

from datetime import datetime, timedelta
from email.utils import format_datetime
from xml.sax.saxutils import escape

from watchkeeper.sandbox.declared import Declared, Words

WORDS = Words(
    components=("operational", "under_maintenance", "degraded", "downtime"),
    maintenance=("scheduled", "in_progress", "completed"),
    during="under_maintenance",
)
PATH = "/history.rss"
LAST_WEEKS = timedelta(days=21)


def document(page: Declared, now: datetime) -> bytes:
    """One incident long ago, and whatever is declared now."""
    items = [_item("A slow morning", "Resolved", "It was a full disk.", now - LAST_WEEKS)]
    for name, state in page.listed(now, WORDS.during):
        if state in ("degraded", "downtime"):
            items.append(_item(f"{name}: {state}", "Investigating", "We look.", page.updated))
    if (told := page.incident) is not None:
        about = f" It concerns {told.component}." if told.component else ""
        text = f"We look into it.{about}"
        items.append(_item(told.name, told.status.capitalize(), text, page.updated))
    return (
        '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"><channel>'
        f"<title>{escape(page.company)} Status - Incident History</title>"
        f"{''.join(reversed(items))}</channel></rss>"
    ).encode()


def _item(title: str, state: str, text: str, at: datetime) -> str:
    html = f"<p><small>{at:%b %d, %H:%M} UTC</small><br><strong>{state}</strong> - {text}</p>"
    return (
        f"<item><title>{escape(title)}</title><description>{escape(html)}</description>"
        f"<pubDate>{format_datetime(at)}</pubDate><guid>https://status.example/{escape(title)}</guid>"
        "</item>"
    )
