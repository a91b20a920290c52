"""`Revenue`: what a purchase was worth."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from antinode.amplitude import constants
from antinode.amplitude._properties import copied

if TYPE_CHECKING:
    from typing_extensions import Self

    from antinode.amplitude.event import RevenueEvent


class Revenue:
    """A purchase: `price` times `quantity`, or `revenue` in all; amounts may be whole or Decimals."""

    def __init__(
        self,
        price: float | Decimal,
        quantity: int = 1,
        product_id: str | None = None,
        revenue_type: str | None = None,
        receipt: str | None = None,
        receipt_sig: str | None = None,
        properties: dict[str, Any] | None = None,
        revenue: float | Decimal | None = None,
        currency: str | None = None,
    ) -> None:
        self.price = price
        self.quantity = quantity
        self.product_id = product_id
        self.revenue_type = revenue_type
        self.receipt = receipt
        self.receipt_sig = receipt_sig
        self.properties = properties
        self.revenue = revenue
        self.currency = currency

    def set_receipt(self, receipt: str, receipt_signature: str) -> Self:
        """Set the receipt and its signature, by which Amplitude verifies a purchase."""
        self.receipt = receipt
        self.receipt_sig = receipt_signature
        return self

    def is_valid(self) -> bool:
        """Whether the price is a number and the quantity a whole number above 0."""
        price: object = self.price
        quantity: object = self.quantity
        is_number = isinstance(price, float | int | Decimal) and not isinstance(price, bool)
        return is_number and isinstance(quantity, int) and quantity > 0

    def to_revenue_event(self) -> RevenueEvent:
        """An event of this purchase."""
        from antinode.amplitude.event import RevenueEvent  # noqa: PLC0415 - which takes a Revenue itself

        return RevenueEvent(event_properties=self.get_event_properties())

    def get_event_properties(self) -> dict[str, Any]:
        """The properties of its event."""
        properties: dict[str, Any] = copied(self.properties) if self.properties else {}
        properties |= {
            constants.REVENUE_PRODUCT_ID: self.product_id,
            constants.REVENUE_QUANTITY: self.quantity,
            constants.REVENUE_PRICE: self.price,
            constants.REVENUE_TYPE: self.revenue_type,
            constants.REVENUE_RECEIPT: self.receipt,
            constants.REVENUE_RECEIPT_SIG: self.receipt_sig,
            constants.REVENUE: self.revenue,
            constants.REVENUE_CURRENCY: self.currency,
        }
        return {key: value for key, value in properties.items() if value is not None}
