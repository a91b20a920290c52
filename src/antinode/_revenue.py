"""A purchase or a refund, as the event from which Amplitude counts revenue."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any

from antinode._encoding.numbers import is_real_number, json_number
from antinode._public import public

if TYPE_CHECKING:
    from antinode._encoding.numbers import Number
    from antinode._events import EventDict

# Exact for any amount of money, and independent of the context that the application has set.
_EXACT = Context(prec=200, traps=[])


@public
class Revenue:
    """One purchase or, with a negative amount, refund; for `client.revenue`.

    Needs `price`, of one item, or `revenue`, the total. With a price, `price` times `quantity` is the
    total, as on the server, and `revenue` is not used. Amounts are finite ints, floats, Decimals or
    Fractions; `currency` is ISO 4217. Only `to_event` checks, and `problems` tells beforehand what it would
    refuse. Setters chain.
    """

    __slots__ = (
        "currency",
        "price",
        "product_id",
        "properties",
        "quantity",
        "receipt",
        "receipt_sig",
        "revenue",
        "revenue_type",
    )

    def __init__(
        self,
        *,
        price: Number | None = None,
        quantity: int = 1,
        product_id: str | None = None,
        revenue_type: str | None = None,
        revenue: Number | None = None,
        currency: str | None = None,
        receipt: str | None = None,
        receipt_sig: str | None = None,
        properties: Mapping[str, Any] | None = None,
    ) -> None:
        self.price = price
        self.quantity = quantity
        self.product_id = product_id
        self.revenue_type = revenue_type
        self.revenue = revenue
        self.currency = currency
        self.receipt = receipt
        self.receipt_sig = receipt_sig
        self.properties = properties

    def set_price(self, price: Number) -> Revenue:
        """The price of one item; negative for a refund."""
        self.price = price
        return self

    def set_quantity(self, quantity: int) -> Revenue:
        """How many items: 1 or more."""
        self.quantity = quantity
        return self

    def set_product_id(self, product_id: str) -> Revenue:
        """The item."""
        self.product_id = product_id
        return self

    def set_revenue_type(self, revenue_type: str) -> Revenue:
        """Such as "Purchase", "Tax" or "Refund"."""
        self.revenue_type = revenue_type
        return self

    def set_revenue(self, revenue: Number) -> Revenue:
        """The total, where there is no price."""
        self.revenue = revenue
        return self

    def set_currency(self, currency: str) -> Revenue:
        """The currency of all amounts: three capitals."""
        self.currency = currency
        return self

    def set_receipt(self, receipt: str, receipt_sig: str | None = None) -> Revenue:
        """The store's receipt and, if given, its signature."""
        self.receipt = receipt
        if receipt_sig is not None:
            self.receipt_sig = receipt_sig
        return self

    def set_receipt_sig(self, receipt_sig: str) -> Revenue:
        """The signature of the store's receipt."""
        self.receipt_sig = receipt_sig
        return self

    def set_event_properties(self, properties: Mapping[str, Any]) -> Revenue:
        """Properties of your own beside those of the revenue, which win where names are equal."""
        self.properties = properties
        return self

    @property
    def problems(self) -> tuple[str, ...]:
        """What keeps this from being sent as it is now, with what to write instead; no values."""
        found = []
        if self.price is None and self.revenue is None:
            found.append("neither price nor revenue is set; set one of them")
        for name in ("price", "revenue"):
            amount = getattr(self, name)
            if amount is not None and not is_real_number(amount):
                kind = type(amount).__name__
                found.append(f"{name} must be a finite int, float, Decimal or Fraction; this {kind} is not")
        if not _is_count(self.quantity):
            found.append(f"quantity must be an int of 1 or more; this {type(self.quantity).__name__} is not")
        elif is_real_number(self.price) and not is_real_number(_product(self.price, self.quantity)):
            found.append("price times quantity is larger than a 64-bit float can hold")
        for name in ("product_id", "revenue_type", "currency", "receipt", "receipt_sig"):
            text = getattr(self, name)
            if text is not None and not isinstance(text, str):
                found.append(f"{name} must be a str, not {type(text).__name__}")
        if isinstance(self.currency, str) and not _is_currency(self.currency):
            found.append('currency must be three capitals (ISO 4217), such as "EUR"')
        properties: object = self.properties
        if properties is not None and not isinstance(properties, Mapping):
            found.append(f"properties must be a dict, not {type(properties).__name__}")
        return tuple(found)

    @property
    def is_valid(self) -> bool:
        """Whether this can be sent."""
        return not self.problems

    def to_event(self, user_id: str | None = None, device_id: str | None = None) -> EventDict:
        """A new `revenue_amount` event for this user. Raises `ValueError` with the problems, if any."""
        if not self._is_plain() and (problems := self.problems):
            raise ValueError(f"Revenue: {'; '.join(problems)}")
        event: EventDict = {"event_type": "revenue_amount"}
        if user_id is not None:
            event["user_id"] = user_id
        if device_id is not None:
            event["device_id"] = device_id
        properties = dict(self.properties or {})
        self._add_amounts(properties)
        self._add_details(properties)
        event["event_properties"] = properties
        return event

    def __repr__(self) -> str:
        names = [name for name in self.__slots__ if getattr(self, name) is not None]
        return f"<Revenue: {', '.join(names)}>"

    def _is_plain(self) -> bool:
        """Whether all is of the very types and sizes that are right: what most are, told quickly."""
        price, quantity = self.price, self.quantity
        amount = self.revenue if price is None else price
        return (
            (price is None or self.revenue is None)
            and (type(amount) is float or type(amount) is int)
            and -_LARGE < amount < _LARGE
            and type(quantity) is int
            and 1 <= quantity < _LARGE
            and (self.properties is None or type(self.properties) is dict)
            and (self.product_id is None or type(self.product_id) is str)
            and (self.revenue_type is None or type(self.revenue_type) is str)
            and self.currency is self.receipt is self.receipt_sig is None
        )

    def _add_amounts(self, properties: dict[str, Any]) -> None:
        properties["$quantity"] = int(self.quantity)
        if self.price is not None:
            properties["$price"] = json_number(self.price)
            properties["$revenue"] = json_number(_product(self.price, self.quantity))
        elif self.revenue is not None:
            properties["$revenue"] = json_number(self.revenue)

    def _add_details(self, properties: dict[str, Any]) -> None:
        if self.product_id is not None:
            properties["$productId"] = self.product_id
        if self.revenue_type is not None:
            properties["$revenueType"] = self.revenue_type
        if self.currency is not None:
            properties["$currency"] = self.currency
        if self.receipt is not None:
            properties["$receipt"] = self.receipt
        if self.receipt_sig is not None:
            properties["$receiptSig"] = self.receipt_sig


_LARGE = 10**15
"""Beyond what is plain; the product of two such numbers is far within a float's range."""


def _product(price: Number, quantity: int) -> Number:
    if type(price) is not float and isinstance(price, Decimal):
        return _EXACT.multiply(price, Decimal(quantity))
    return price * quantity


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value < 2**63


def _is_currency(code: str) -> bool:
    return len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()
