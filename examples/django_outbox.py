"""Django with an outbox: an order and its event are written together, or not at all.

    python examples/django_outbox.py migrate
    python examples/django_outbox.py order book
    python examples/django_outbox.py antinode_outbox deliver --until-empty

AMPLITUDE_API_KEY is the key; ANTINODE_SERVER_URL sends elsewhere, as to `antinode serve`;
EXAMPLE_DATABASE is a file. An application has its models, settings and commands in files of their own.
"""

import os
import sys

import django
from django.conf import settings
from django.core.management import BaseCommand, call_command
from django.core.management.base import CommandParser
from django.db import connection, transaction

from antinode.outbox.django import log_event

settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ.get("EXAMPLE_DATABASE", "shop.sqlite"),
            "OPTIONS": {"transaction_mode": "IMMEDIATE"},
        }
    },
    INSTALLED_APPS=["antinode.integrations.django", "antinode.outbox.django"],
    ANTINODE={"server_url": os.environ.get("ANTINODE_SERVER_URL")},
)


def place_order(title: str) -> int:
    """Place an order, and tell of it. Raises LookupError for what is not to be had."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, title TEXT)")
        cursor.execute("INSERT INTO orders (title) VALUES (%s)", [title])
        number = int(cursor.lastrowid)
        log_event(
            {"event_type": "Order Placed", "user_id": "user-20391", "event_properties": {"order": number}},
            once=f"order-{number}",
        )
        if title == "nothing":
            raise LookupError(title)
    return number


class Order(BaseCommand):
    """`order TITLE…`"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("titles", nargs="+")

    def handle(self, *_: object, titles: list[str], **__: object) -> None:
        for title in titles:
            try:
                self.stdout.write(f"order {place_order(title)}: placed")
            except LookupError:
                self.stdout.write(f"{title}: not to be had, and nothing is written of it")


if __name__ == "__main__":
    django.setup()
    if sys.argv[1:2] == ["order"]:
        call_command(Order(), *sys.argv[2:])
    else:
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)
