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
    least: int = 0
    """How many characters whatever is found has at least."""

    def hide(self, text: str, replacement: str) -> str:
        """The text with what is found replaced."""
        if len(text) < self.least or (self.needs is not None and self.needs.search(text) is None):
            return text
        if self.replace is not None:
            return self.replace(text, replacement)
        is_right = self.is_right
        if is_right is None:
            return self.find.sub(lambda _: replacement, text)
        return self.find.sub(lambda found: replacement if is_right(found[0]) else found[0], text)


def _is_card_number(digits: str) -> bool:
    return _CARD_NETWORKS.fullmatch(digits) is not None and _passes_luhn(digits)


# As the networks publish them (ISO/IEC 7812): Visa, Mastercard, Mir, American Express, Diners, Discover, JCB,
# UnionPay, Maestro.
_CARD_NETWORKS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"
    r"|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"
    r"|220[0-4]\d{12,15}"
    r"|3[47]\d{13}"
    r"|3(?:0[0-5]|[689]\d)\d{11,16}"
    r"|6(?:011|4[4-9]\d|5\d\d)\d{12,15}"
    r"|35(?:2[89]|[3-8]\d)\d{12,15}|(?:2131|1800)\d{11}"
    r"|(?:62|81)\d{14,17}"
    r"|(?:50|5[6-9]|6\d)\d{10,17}",
    re.ASCII,
)
_LONGEST_CARD = 19


def _hide_cards(text: str, replacement: str) -> str:
    """Card numbers replaced, also among other digits: `order 12 4111 1111 1111 1111`."""
    return _DIGIT_GROUPS.sub(lambda run: _hide_in_run(run[0], replacement), text)


# Between groups of digits: a space or a dash of any width, or a dot.
_GAP = r"[ .\-\u00a0\u2007\u2009\u202f\u2010-\u2014]"
_DIGIT_GROUPS = re.compile(rf"(?<![\d.])\d{{2,}}(?:{_GAP}\d{{2,}})*(?!\d)", re.ASCII)


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


def _hide_ibans(text: str, replacement: str) -> str:
    """IBANs replaced: as long as their country's are, with the right check digits, in groups or not."""
    made: list[str] = []
    kept_to = at = 0
    while (found := _IBAN_START.search(text, at)) is not None:
        at = found.end()
        end = _end_of_iban(text, found.start())
        if end is not None:
            made += (text[kept_to : found.start()], replacement)
            kept_to = at = end
    return "".join((*made, text[kept_to:]))


def _end_of_iban(text: str, start: int) -> int | None:
    """Where the IBAN that begins here ends; None if there is none."""
    length = _IBAN_LENGTHS.get(text[start : start + 2].upper())
    if length is None:
        return None
    characters = ""
    at = start
    while len(characters) < length:
        if at + 1 < len(text) and characters and _IS_GAP(text[at]):
            at += 1
        if at >= len(text) or not (text[at].isascii() and text[at].isalnum()):
            return None
        characters += text[at].upper()
        at += 1
    if at < len(text) and text[at].isascii() and text[at].isalnum():
        return None
    # ISO 13616: the country's and the check characters to the end, letters as numbers, remainder 1 of 97.
    moved = characters[4:] + characters[:4]
    return at if int("".join(str(int(each, 36)) for each in moved)) % 97 == 1 else None


_IBAN_LENGTHS: Final = {
    country: length
    for length, countries in {
        15: "NO", 16: "BE", 18: "DK FI FO GL NL", 19: "MK SI", 20: "AT BA EE KZ LT LU XK", 21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST", 26: "IS TR", 27: "FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HU LB PL SV",
        29: "BR EG PS QA UA", 30: "JO KW MU", 31: "MT SC", 32: "LC", 33: "RU",
    }.items()
    for country in countries.split()
}  # fmt: skip
"""As the registry of IBANs has them."""
_IS_GAP = re.compile(_GAP).fullmatch
_IBAN_START = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d\d", re.ASCII)


def _is_phone_number(text: str) -> bool:
    digits = len(re.sub(r"\D", "", _EXTENSION.sub("", text)))
    return 8 <= digits <= 15 and _DATE.match(text) is None


# Spaces, dashes, slashes and dots, as they stand in phone numbers.
_SIGN = _GAP.replace(".", "./", 1)

_EXTENSION = re.compile(r"[x#e].*")
_DATE = re.compile(r"\d{1,2}[./-]\d{1,2}[./-]\d{4}", re.ASCII)


def _is_ip_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


_DIGIT = re.compile(r"\d", re.ASCII)

_FORMS = re.compile(
    r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*"  # JSON Web Tokens
    r"|\b(?:"
    r"(?:sk|pk|rk)_(?:live|test)_\w{8,}|whsec_\w{16,}|sk-[\w-]{20,}"
    r"|gh[opsur]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}"
    r"|xox[abeoprs]-[\w-]{10,}"
    r"|(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|AIza[\w-]{30,}|ya29\.[\w-]{16,}|GOCSPX-[\w-]{16,}"
    r"|npm_\w{30,}|pypi-[\w-]{30,}|hf_\w{20,}|dop_v1_\w{40,}|shp(?:at|ca|pa|ss)_\w{20,}"
    r"|SG\.[\w-]{16,64}\.[\w-]{16,}|SK[0-9a-f]{32}\b|key-[0-9a-f]{32}\b"
    r"|\d{8,10}:AA[\w-]{30,}|[MNO][\w-]{22,26}\.[\w-]{6}\.[\w-]{25,}"  # of bots
    r"|AGE-SECRET-KEY-1\w{6,}"
    r")"
)
_LEAST_OF_FORMS = 15
_LONG = re.compile(rf"[\w.:-]{{{_LEAST_OF_FORMS}}}")
"""What has one of these forms is at least so long."""
_SCHEMES = re.compile(
    r"(?i:\b(?:bearer|basic)\s+(?=[\w~+/.-]{0,256}[\d=])[\w~+/.=-]{8,})"
    r"|-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]*(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?"
)
_NAMES = (
    r"(?:password|passwd|passphrase|pwd|secret|token|sessionid"
    r"|(?:api|access|account|private|secret|signing)[_-]?key)"
)
# `password=…`, `"secret": "…"`, `X-Api-Key: …`, `Cookie: …`, in a query, and before the host of an address.
_NAMED = re.compile(
    rf"{_NAMES}(?:[\"']? ?=>? ?[\"']?[^\s\"'&;,]+|[\"'] ?: ?[\"'][^\"']{{1,512}}"
    r"| ?: ?(?=[^\s\d]{0,64}\d)[^\s,;]+)"
    r"|\b(?:set-)?cookie: ?[^\r\n]+"
    r"|(?<=[?&;])(?:key|auth|session|signature)=[^&\s#]+"
    r"|(?<=//)[^\s/@:]{1,256}:[^\s/@]{1,256}(?=@)",
    re.IGNORECASE,
)


_SHORTEST_SCHEME = len("basic a1234567")


def _may_have_scheme(text: str) -> bool:
    # Letters that are not ASCII may count as those of "basic" when case does not matter.
    if not text.isascii() or "-----BEGIN" in text:
        return True
    lowered = text.lower()
    return "bearer" in lowered or "basic" in lowered


def _hide_tokens(text: str, replacement: str) -> str:
    """Tokens known by their form, by the scheme before them, or by their name; each only where it may be."""

    def hidden(_: re.Match[str]) -> str:
        return replacement

    if len(text) >= _LEAST_OF_FORMS and _LONG.search(text) is not None:
        text = _FORMS.sub(hidden, text)
    if len(text) >= _SHORTEST_SCHEME and _may_have_scheme(text):
        text = _SCHEMES.sub(hidden, text)
    return _NAMED.sub(hidden, text) if "=" in text or ":" in text else text


PATTERNS: Final[dict[str, Pattern]] = {
    "email": Pattern(
        re.compile(
            r"(?:[^\s@\uff20<>\"'(),;:=&?/\\\[\]{}|]{1,64}|\"[^\"@\r\n]{1,62}\")"
            r"(?:@|%40|\uff20|&#64;|\\u0040| ?[\[(]at[\])] ?)[\w-]{1,63}(?:\.[\w-]{1,63})+"
        ),
        needs=re.compile(r"[@\uff20%&\\\[(]"),  # a class of characters, since that is found quickest
        least=5,
    ),
    "card": Pattern(_DIGIT_GROUPS, needs=re.compile(r"\d{2}", re.ASCII), replace=_hide_cards, least=12),
    "iban": Pattern(_IBAN_START, needs=_DIGIT, replace=_hide_ibans, least=min(_IBAN_LENGTHS.values())),
    "phone": Pattern(
        re.compile(
            r"(?<![\w.])(?:"
            rf"(?:\+[1-9]|00[1-9]\d{{0,2}}{_GAP})(?:(?:{_SIGN}|[()]){{0,2}}\d){{7,14}}"  # a country's code
            rf"|(?:\(\d{{3}}\) ?|\d{{3}}{_GAP})\d{{3}}{_GAP}\d{{4}}"  # North America
            rf"|0[1-9](?:{_SIGN}?\d){{7,11}}"  # with the national prefix
            rf"|\(0\d{{1,4}}\)[ -]?\d(?:{_SIGN}?\d){{4,8}}"
            rf"|\(\+?\d{{2,4}}\){_SIGN}{{0,2}}\d(?:{_SIGN}?\d){{5,10}}"
            r")(?: ?(?:x|ext\.?|#) ?\d{1,6})?(?!\w)",
            re.ASCII,
        ),
        _is_phone_number,
        needs=_DIGIT,
        least=8,
    ),
    "token": Pattern(_FORMS, replace=_hide_tokens, least=5),
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
