"""What personal data and secrets look like in text."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Pattern:
    """What is looked for in a text, in a time that grows with its length alone."""

    find: re.Pattern[str]
    is_right: Callable[[str], bool] | None = None
    """A check of what was found."""
    needs: re.Pattern[str] | None = None
    """What a text must hold for it to be worth a search."""
    replace: Callable[[str, str], str] | None = None
    """Does it in place of `find`."""

    def hide(self, text: str, replacement: str) -> str:
        """The text with what is found replaced."""
        if self.needs is not None and self.needs.search(text) is None:
            return text
        if self.replace is not None:
            return self.replace(text, replacement)
        is_right = self.is_right
        if is_right is None:
            return self.find.sub(lambda _: replacement, text)
        return self.find.sub(lambda found: replacement if is_right(found[0]) else found[0], text)


def _is_card_number(digits: str) -> bool:
    return _CARD_NETWORKS.fullmatch(digits) is not None and _passes_luhn(digits)


# As the networks publish them (ISO/IEC 7812): Visa, Mastercard, American Express, Diners, Discover, JCB,
# UnionPay, Maestro.
_CARD_NETWORKS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"
    r"|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"
    r"|3[47]\d{13}"
    r"|3(?:0[0-5]|[689]\d)\d{11,16}"
    r"|6(?:011|4[4-9]\d|5\d\d)\d{12,15}"
    r"|35(?:2[89]|[3-8]\d)\d{12,15}"
    r"|62\d{14,17}"
    r"|(?:50|5[6-9]|6\d)\d{10,17}",
    re.ASCII,
)
_LONGEST_CARD = 19


def _hide_cards(text: str, replacement: str) -> str:
    """Card numbers replaced, also among other digits: `order 12 4111 1111 1111 1111`."""
    return _DIGIT_GROUPS.sub(lambda run: _hide_in_run(run[0], replacement), text)


_DIGIT_GROUPS = re.compile(r"(?<![\d.])\d{2,}(?:[ -]\d{2,})*(?!\d)", re.ASCII)


def _hide_in_run(run: str, replacement: str) -> str:
    groups = list(re.finditer(r"\d+", run))
    made: list[str] = []
    kept_to = first = 0
    while first < len(groups):
        digits = ""
        for last in range(first, len(groups)):
            digits += groups[last][0]
            if len(digits) > _LONGEST_CARD or _is_card_number(digits):
                break
        if len(digits) <= _LONGEST_CARD and _is_card_number(digits):
            made += (run[kept_to : groups[first].start()], replacement)
            kept_to = groups[last].end()
            first = last
        first += 1
    return "".join((*made, run[kept_to:]))


def _passes_luhn(digits: str) -> bool:
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + position % 2)
        total += value - 9 * (value > 9)
    return total % 10 == 0


def _is_iban(text: str) -> bool:
    """ISO 13616: the country's and the check characters to the end, letters as numbers, remainder 1 of 97."""
    characters = re.sub(r"\s", "", text).upper()
    moved = characters[4:] + characters[:4]
    return int("".join(str(int(each, 36)) for each in moved)) % 97 == 1


def _is_phone_number(text: str) -> bool:
    return 8 <= len(re.sub(r"\D", "", text)) <= 15 and _DATE.match(text) is None


_DATE = re.compile(r"\d{1,2}[./-]\d{1,2}[./-]\d{4}", re.ASCII)


def _is_ip_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


_DIGIT = re.compile(r"\d", re.ASCII)

PATTERNS: Final[dict[str, Pattern]] = {
    "email": Pattern(
        re.compile(r"[^\s@<>\"'(),;:=&?/\\\[\]{}|]{1,64}(?:@|%40)[\w-]{1,63}(?:\.[\w-]{1,63})+"),
        needs=re.compile("@|%40"),
    ),
    "card": Pattern(_DIGIT_GROUPS, needs=re.compile(r"\d{2}", re.ASCII), replace=_hide_cards),
    "iban": Pattern(
        re.compile(
            r"(?<![A-Za-z0-9])[A-Z]{2}\d\d(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])", re.ASCII
        ),
        _is_iban,
        needs=_DIGIT,
    ),
    "phone": Pattern(
        re.compile(
            r"(?<![\w.])(?:"
            r"(?:\+[1-9]|00[1-9]\d{0,2}[ .-])(?:[ ./()-]{0,2}\d){7,14}"  # with the country's code
            r"|(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}"  # North America
            r"|0[1-9](?:[ ./-]?\d){7,9}"  # with the national prefix
            r"|\(0\d{1,4}\) ?\d(?:[ ./-]?\d){4,8}"
            r")(?!\w)",
            re.ASCII,
        ),
        _is_phone_number,
        needs=_DIGIT,
    ),
    "token": Pattern(
        re.compile(
            r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*"  # JSON Web Tokens
            r"|(?i:\b(?:bearer|basic)\s+(?=[\w~+/.-]{0,256}[\d=])[\w~+/.=-]{8,})"
            r"|\b(?:sk|pk|rk)_(?:live|test)_\w{8,}|\bwhsec_\w{16,}"
            r"|\bsk-[\w-]{20,}"
            r"|\bgh[opsur]_\w{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}"
            r"|\bxox[abeoprs]-[\w-]{10,}"
            r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
            r"|\bAIza[\w-]{30,}"
            r"|\bnpm_\w{30,}|\bpypi-[\w-]{30,}"
            r"|-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]*(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?"
            r"|(?<=://)[^\s/@:]{1,256}:[^\s/@]{1,256}(?=@)"  # a user and a password in an address
            r"|(?i:(?<=[?&;])(?:access_token|refresh_token|id_token|token|api_?key|key|secret|client_secret"
            r"|password|passwd|pwd|auth|session|sessionid|signature)=[^&\s#]+)"
        )
    ),
    "ip": Pattern(
        re.compile(
            r"(?<![\w.:])(?:(?:\d{1,3}\.){3}\d{1,3}|(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4})(?![\w:]|\.\d)",
            re.ASCII,
        ),
        _is_ip_address,
        needs=re.compile("[.:]"),
    ),
}
"""Named patterns of what is taken out of texts."""
