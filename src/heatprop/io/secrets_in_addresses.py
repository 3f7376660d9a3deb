"""What of an address lets somebody in, and is not to be shown: passwords, tokens, keys of streams."""

from __future__ import annotations

import re
from collections.abc import Sequence

MASK = "***"
# Values that say what is shown, not who may see it; of all others nobody knows.
_HARMLESS = (
    r"(?:(?:camera|channel|fps|height|resolution|subtype|width)=[A-Za-z0-9]{0,9}|(?:stream|trackid)=\d{1,3})"
    r"(?:\.[A-Za-z0-9]{1,4})?"
)
_HARMLESS_PAIR = re.compile(_HARMLESS, re.IGNORECASE)
_HARMLESS_LATER = re.compile(rf"[&;,_~]{_HARMLESS}(?=[&;,_~]|$)", re.IGNORECASE)
_HARMLESS_PIECE = re.compile(rf"(?:([^=&;,~]*)[&;,~])?{_HARMLESS}(?:[&;,_~]{_HARMLESS})*", re.IGNORECASE)
_SECRET = (
    r"(?:pass|passwd|password|passphrase|passcode|pwd|pw|pin|token|key|apikey|streamkey|secret|sig|signature|auth"
    r"|authorization|credentials?|hmac|hash|jwt|bearer|session|sessionid|jsessionid|sid|ticket|accesstoken)"
)
_SECRET_WORD = re.compile(rf"(?:\w+[_-])?{_SECRET}", re.IGNORECASE)
_SET = re.compile(rf"=|%3D|(?<![A-Za-z0-9]){_SECRET}(?::|%3A)", re.IGNORECASE)
_PLAIN_NAME = re.compile(r"[A-Za-z][\w.\[\]-]*")

_SUFFIX = re.compile(r"(?:\.[A-Za-z][A-Za-z0-9]{0,4})+$")
_WHOLE_KEY = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # a UUID
    r"|eyJ[\w-]{6,}"  # a JSON web token: {" in base 64
    r"|(?<![A-Za-z0-9])(?=[a-z-]*\d)[a-z0-9]{4}(?:-[a-z0-9]{4}){3,}(?![A-Za-z0-9])"
    r"|(?<![A-Za-z0-9])live_\d{5,}_\w+",
    re.IGNORECASE,
)
_RUN = re.compile(r"[A-Za-z0-9]+")
_MIN_ODD, _LONG = 10, 16
_LONGEST_NUMBER = 17
# A word, a name or a number has more letters or digits between two changes of their kind.
_MIN_HUMP, _MIN_HUMPED = 2.6, 12
# Date and time, size, rate, codec: what people write in the names of files.
_MEASURE = re.compile(
    r"(?<!\d)(?:19|20)\d\d-?(?:0\d|1[0-2])-?[0-3]\d(?:[T_-]?\d\d(?:[-:.]?\d\d){1,2}\d{0,3}Z?)?(?!\d)"
    r"|(?<!\d)\d{2,5}x\d{2,5}(?!\d)"
    r"|(?<!\d)\d{1,5}(?:fps|kbps|mbps|bit|[pik])(?![A-Za-z])"
    r"|(?<![A-Za-z])(?:[hx]26[3456]|mp[234]|vp[89]|av1)(?!\d)",
    re.IGNORECASE,
)
_HUMP = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_HUMP_OR_NUMBER = re.compile(rf"{_HUMP.pattern}|\d+")
# Pairs of letters that hardly a word has, in whatever language.
_ODD_PAIR = re.compile(
    r"q[^u]|[jqvx]{2}|(?<!i)j(?!pe?g)[bcdfghjklmnpqrstvwxz]|v[bcdfghjkmnpqtwxz]|x[bdgjkmnqrvwz]|z[bcdfgjkmnpqrsvx]"
    r"|[bcdfghjklmpstvwz]x|[bcfghjkmpqsvwx]z|[bcdfghjkmpqstvwxz]q|[bcfghjkmpqstvwxz]j|[fhjkmpqtwxz]v|w[gjkmpquvx]"
    r"|[bcdfgjkqvz]{4}|[bcdfghjklmnpqrstvwxz]{8}|(.)\1{3}",
)


def masked_query(query: str) -> str:
    """Return a query with its values masked, except those that only say what is shown."""
    return "&".join(_masked_pair(each) for each in query.split("&"))


def _masked_pair(pair: str) -> str:
    name, _, value = pair.partition("=")
    if _HARMLESS_PAIR.fullmatch(pair):
        return pair
    if value.strip("=") and _PLAIN_NAME.fullmatch(name) and not is_key(name):
        return f"{name}={MASK}"
    return MASK if pair else ""


def masked_path(path: Sequence[str]) -> list[str]:
    """Return the pieces of a path with what may be a secret masked.

    That is what follows ``password=`` and the like, or stands behind a piece such as ``token``, and what looks
    as if a machine had drawn it.
    """
    shown = [_masked_piece(piece) for piece in path]
    for place in range(1, len(path)):
        if path[place] and _SECRET_WORD.fullmatch(path[place - 1]):
            shown[place] = MASK
    return shown


def _masked_piece(piece: str) -> str:
    found = _SET.search(piece)
    if found is None:
        return MASK if is_key(piece) else piece
    harmless = _HARMLESS_PIECE.fullmatch(piece)
    before = "" if harmless is None else harmless[1] or ""
    if harmless is not None and not _SET.search(before) and not is_key(before):
        return piece
    name = piece[: found.start()]
    has_key = any(is_key(part) and not _SECRET_WORD.fullmatch(part) for part in re.split("[&;,~]", name))
    # A secret may hold what elsewhere separates: only what is surely none is told after it.
    later = "".join(_HARMLESS_LATER.findall(piece[found.end() :]))
    return f"{MASK if has_key else name}{found[0]}{MASK}{later}"


def is_key(piece: str) -> bool:
    """Return whether a piece of a path looks as if a machine had drawn it, so that nobody guesses it.

    It is long, and its letters and digits form no words and numbers.

    Example:
        >>> [is_key(piece) for piece in ("north_door", "h264Preview_01_main", "x7Kp2mQ9vT4nL8wZ")]
        [False, False, True]
    """
    piece = piece.replace("%2D", "-").replace("%5F", "_")
    if _WHOLE_KEY.search(piece):
        return True
    stem = _SUFFIX.sub("", piece)
    if sum(len(run) for run in _RUN.findall(stem) if not _is_name(run)) >= _MIN_ODD:
        return True
    humps = _HUMP_OR_NUMBER.findall(_MEASURE.sub(" ", stem))
    letters = sum(map(len, humps))
    return _MIN_HUMPED <= letters < _MIN_HUMP * len(humps)


def _is_name(run: str) -> bool:
    """Return whether letters and digits without a break may be words and numbers."""
    rest = _MEASURE.sub(" ", run)
    numbers = re.findall(r"\d+", rest)
    is_long = len(run) >= _LONG and not run.isdigit()
    if len(numbers) > (1 if is_long else 2) or any(
        len(number) > (8 if is_long else _LONGEST_NUMBER) for number in numbers
    ):
        return False
    return all(_is_word(word) for word in re.findall(r"[A-Za-z]+", rest))


def _is_word(letters: str) -> bool:
    humps = _HUMP.findall(letters)
    least = _MIN_HUMP if len(letters) < _MIN_HUMPED else 3
    is_mixed = len(letters) >= 5 and len(letters) < least * len(humps)
    return not is_mixed and not _ODD_PAIR.search(letters.lower())
