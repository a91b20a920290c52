"""Revenue: which amounts are taken, what is sent for them, and what is refused."""

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode._revenue import Revenue

cents = st.integers(min_value=-(10**9), max_value=10**9)
quantities = st.integers(min_value=1, max_value=10**4)

BAD_AMOUNTS = [True, "5", math.nan, math.inf, Decimal("sNaN"), Decimal("Infinity"), 10**400, 1j, [5]]
HUGE_AMOUNTS = [1e308, 10**308, Decimal("1e308"), Fraction(10**308)]
BAD_COUNTS = [0, -1, 1.0, "2", True, None, 2**70]
BAD_CURRENCIES = ["eur", "EU", "EURO", "", "€€€", "ÄÖÜ", "E1R"]
TEXTS = ["product_id", "revenue_type", "currency", "receipt", "receipt_sig"]


def properties_of(revenue):
    return revenue.to_event()["event_properties"]


def test_event_of_a_full_revenue():
    """Every field has its `$` property; own properties stand beside them."""
    revenue = Revenue(
        price=19.5,
        quantity=2,
        product_id="vinyl",
        revenue_type="Purchase",
        currency="EUR",
        receipt="receipt-1",
        receipt_sig="signature-1",
        properties={"coupon": "SPRING", "$price": 1},
    )
    assert revenue.to_event("user-20391", "device-1") == {
        "event_type": "revenue_amount",
        "user_id": "user-20391",
        "device_id": "device-1",
        "event_properties": {
            "coupon": "SPRING",
            "$price": 19.5,
            "$quantity": 2,
            "$revenue": 39.0,
            "$productId": "vinyl",
            "$revenueType": "Purchase",
            "$currency": "EUR",
            "$receipt": "receipt-1",
            "$receiptSig": "signature-1",
        },
    }


def test_setters_say_the_same_as_keywords():
    """The setters chain and end in the event that the keywords make."""
    by_setters = (
        Revenue()
        .set_price(5)
        .set_quantity(3)
        .set_product_id("vinyl")
        .set_revenue_type("Purchase")
        .set_revenue(99)
        .set_currency("EUR")
        .set_receipt("receipt-1", "signature-1")
        .set_event_properties({"coupon": "SPRING"})
    )
    by_keywords = Revenue(
        price=5,
        quantity=3,
        product_id="vinyl",
        revenue_type="Purchase",
        revenue=99,
        currency="EUR",
        receipt="receipt-1",
        receipt_sig="signature-1",
        properties={"coupon": "SPRING"},
    )
    assert by_setters.to_event("user-20391") == by_keywords.to_event("user-20391")
    assert by_setters.set_receipt("receipt-2").set_receipt_sig("signature-2").receipt_sig == "signature-2"
    assert by_setters.set_receipt("receipt-3").receipt_sig == "signature-2"


def test_price_alone_is_one_item():
    """The quantity is 1 when none is given, and there are no ids nobody gave."""
    assert Revenue(price=7).to_event() == {
        "event_type": "revenue_amount",
        "event_properties": {"$price": 7, "$quantity": 1, "$revenue": 7},
    }


def test_revenue_alone_is_the_total():
    """Without a price the given revenue is sent, whatever the quantity."""
    assert properties_of(Revenue(revenue=50, quantity=3)) == {"$quantity": 3, "$revenue": 50}


def test_price_times_quantity_wins_over_revenue():
    """With all three, the product is sent, as the server counts it."""
    assert properties_of(Revenue(price=10, quantity=3, revenue=1))["$revenue"] == 30


@given(cents, quantities)
def test_decimal_amounts_are_exact(amount, quantity):
    """A Decimal price gives the float nearest to the exact product, whatever the decimal context."""
    with localcontext() as context:
        context.prec = 2
        properties = properties_of(Revenue(price=Decimal(f"{amount}e-2"), quantity=quantity))
    assert properties["$price"] == amount / 100
    assert properties["$revenue"] == amount * quantity / 100


@given(st.one_of(st.integers(-(10**12), 10**12), st.floats(-1e12, 1e12), st.fractions(-(10**6), 10**6)))
def test_any_real_number_is_an_amount(amount):
    """Ints, floats and fractions are taken as prices and as revenue, and sent as JSON numbers."""
    assert properties_of(Revenue(price=amount))["$price"] == float(amount)
    sent = properties_of(Revenue(revenue=amount))["$revenue"]
    assert type(sent) in (int, float)
    assert sent == float(amount)


def test_negative_amount_is_a_refund():
    """Amounts below zero are valid."""
    assert properties_of(Revenue(price=Decimal("-1.99"), quantity=2))["$revenue"] == -3.98


@pytest.mark.parametrize(
    ("keywords", "problem"),
    [
        ({}, "neither price nor revenue is set"),
        *(({"price": amount}, "price must be a finite") for amount in BAD_AMOUNTS),
        *(({"revenue": amount}, "revenue must be a finite") for amount in BAD_AMOUNTS),
        *(({"price": 1, "quantity": count}, "quantity must be an int of 1 or more") for count in BAD_COUNTS),
        *(({"price": price, "quantity": 100}, "larger than a 64-bit float") for price in HUGE_AMOUNTS),
        *(({"price": 1, "currency": code}, "three capitals") for code in BAD_CURRENCIES),
        *(({"price": 1, name: 7}, f"{name} must be a str, not int") for name in TEXTS),
        ({"price": 1, "properties": ["a"]}, "properties must be a dict, not list"),
    ],
    ids=str,
)
def test_wrong_values_are_told_and_never_sent(keywords, problem):
    """Making the object never raises; `to_event` refuses it with the words of `problems`."""
    revenue = Revenue(**keywords)
    assert not revenue.is_valid
    (told,) = revenue.problems
    assert problem in told
    with pytest.raises(ValueError, match="Revenue: ") as refusal:
        revenue.to_event()
    assert told in str(refusal.value)


def test_problems_are_those_of_the_moment():
    """A corrected value ends its problem; several problems are all told."""
    revenue = Revenue(quantity=0, currency="euro")
    assert len(revenue.problems) == 3
    revenue.set_price(Fraction(1, 4)).set_quantity(2).set_currency("EUR")
    assert revenue.is_valid
    assert properties_of(revenue)["$revenue"] == 0.5


def test_event_is_a_snapshot():
    """Changing the Revenue or its properties afterwards does not change an event that was built."""
    own = {"coupon": "SPRING"}
    revenue = Revenue(price=1, properties=own)
    event = revenue.to_event()
    own["coupon"] = "changed"
    revenue.set_price(2)
    assert event["event_properties"] == {"coupon": "SPRING", "$price": 1, "$quantity": 1, "$revenue": 1}


def test_repr_and_problems_hold_no_values():
    """Amounts, receipts and properties stay out of what may be logged."""
    revenue = Revenue(price="secret", receipt="secret", currency="secret", properties={"secret": 1})
    assert repr(revenue) == "<Revenue: currency, price, properties, quantity, receipt>"
    assert "secret" not in " ".join(revenue.problems)
