"""The rules of the Penn Treebank tokenization that caption scores are computed on.

They describe what Stanford's tokenizer of September 2014 (the one in coco-caption) does to a line:
which stretches are a token, and how the token is written. The order matters between matches of
equal length. Rules of it that only decide whether a full stop is repeated are left out, because
full stops are dropped before scoring.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from lrcn.text.lexer import Contains
from lrcn.text.ptb_chars import DIGITS, LETTERS, MARKS, SYMBOLS

Write = Callable[[str], str]
"""How a token is written, given the text it stands for; empty where it is dropped."""

_SPACES = " \t\u00a0\u2000-\u200a\u3000"
_BREAKS = "\r\n\u2028\u2029\u000b\u000c\u0085"

PARTS: Mapping[str, str | Contains] = {
    "alpha": LETTERS.__contains__,
    "mark": MARKS.__contains__,
    "d": DIGITS.__contains__,
    "symbol": SYMBOLS.__contains__,
    "alnum": "<alpha> | <d>",
    "sp": f"[{_SPACES}]",
    "gap": f"[{_SPACES}{_BREAKS}]",
    # Words and what may hang on them.
    "accented": "& [aeiouAEIOU] (acute|grave|uml);",
    "letter": "<alpha> | <mark> | \u00ad | <accented>",
    "word": "<letter> (<letter>|<d>)* ([.!?] <letter> (<letter>|<d>)*)*",
    "apos": "['\u0092\u2019] | &apos;",
    "apos_like": "<apos> | [`\u0091\u2018\u201b]",
    "clitic": "<apos> ([msdMSD] | re | ve | ll)",
    "before_not": "[A-Za-z\u00ad]* [A-MO-Za-mo-z] \u00ad*",
    "not": "n <apos_like> t",
    # Numbers.
    "num": "<d>+ | <d>* ([.:,\u00ad\u066b\u066c] <d>+)+",
    "number": "[\\-+]? (<num>)",
    "slash": "\\\\? \\/",
    # Compounds.
    "hyphen": "[\\-_\u058a\u2010\u2011]",
    "elided": "[dDoOlL] (<apos_like>) (<alnum>)",
    "thing": "(<elided>)? (<alnum>)+ (<hyphen> (<elided>)? (<alnum>)+)*",
    "capitals": "[A-Z]+ ((\\+ | & | &amp;) [A-Z]+)+",
    "slashed": "[A-Za-z0-9]+ (\\- [A-Za-z]+){0,2}",
    "dotted": "[A-Za-z] (\\. [A-Za-z])* | (canada|sino|korean|eu|japan|non)\\-u\\.s"
    " | u\\.s\\.\\-(u\\.k | u\\.s\\.s\\.r)",
    "dotted_twice": "[A-Za-z] (\\. [A-Za-z])+ | (canada|sino|korean|eu|japan|non)\\-u\\.s"
    " | u\\.s\\.\\-(u\\.k | u\\.s\\.s\\.r)",
    "hyphened": "[A-Za-z0-9] [A-Za-z0-9.,\u00ad]*"
    " (\\- ([A-Za-z0-9\u00ad]+ | (<dotted_twice>) \\.))+",
    "inner_stop": "[,;:\u3001]",
    # Tags.
    "name": "[A-Za-z] [A-Za-z0-9_:.\\-]*",
    "attribute": "<name> | <name> [ ]* = [ ]* (' [^']* ' | \" [^\"]* \")",
    "tag": "\\< ([!?] [A-Za-z\\-] [^>\r\n]* | <name> ([ ]+ (<attribute>))* [ ]* \\/?"
    " | \\/ <name>) [ ]* >",
    # Abbreviations.
    "month": "jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec",
    "day": "mon|tue|tues|wed|thu|thurs|fri",
    "state": "ala|ariz|[A]z|[A]rk|calif|colo|conn|ct|dak|[D]el|fla|ga|[I]ll|ind|kans?|ky|[L]a"
    "|[M]ass|md|mich|minn|[M]iss|mo|mont|neb|nev|okla|[O]re|[P]a|penn|tenn|[T]ex|va|vt|[W]ash"
    "|wisc?|wyo",
    "company": "inc|cos?|corp|pp?t[ye]s?|ltd|plc|rt|bancorp|bhd|assn|univ|intl|sys",
    "title": "mr|mrs|ms|[M]iss|drs?|profs?|sens?|reps?|attys?|lt|col|gen|messrs|govs?|adm|rev"
    "|maj|sgt|cpl|pvt|capt|ste?|ave|pres|lieut|hon|brig|co?mdr|pfc|spc|supts?|det|mt|ft|adj"
    "|adv|asst|assoc|ens|insp|mlle|mme|msgr|sfc",
    "ends_short": "<month>|<day>|<state>|<company>"
    "|tel|est|ext|sq|jr|sr|bros|(ed|ph)\\.d|blvd|rd|esq|etc|al|seq|bldg",
    "begins_short": "<title>|<dotted>|vs|[v]|alex|wm|jos|cie|a\\.k\\.a|cf|treas|ph"
    "|invt|elec|natl|m[ft]g|dept",
    "before_number": "ca|figs?|prop|nos?|art|bldg|pp|op",
    "opener": "[A]bout|[A]ccording|[A]dditionally|[A]fter|[A]n|[A]|[A]s|[A]t|[B]ut"
    "|[E]arlier|[H]e|[H]er|[H]ere|[H]owever|[I]f|[I]n|[I]t|[L]ast|[M]any|[M]ore"
    "|[M]r\\.|[M]s\\.|[N]ow|[O]nce|[O]ne|[O]ther|[O]ur|[S]he|[S]ince|[S]o|[S]ome|[S]uch|[T]hat"
    "|[T]he|[T]heir|[T]hen|[T]here|[T]hese|[T]hey|[T]his|[W]e|[W]hen|[W]hile|[W]hat"
    "|[Y]et|[Y]ou",
    # Addresses.
    "in_address": '[^ \t\n\u000c\r"<>|(){}]',
    "ends_address": '[^ \t\n\u000c\r"<>|.!?(){},\\-]',
    "label": '[^ \t\n\u000c\r"<>|.!?(){},]',
    "plain_label": "[^ \t\n\u000c\r\"`'<>|.!?(){},-_$]",
    "path": '\\/ [^ \t\n\u000c\r"<>|()]+ <ends_address>',
    "extension": "bat|bmp|c|class|cgi|cpp|dll|doc|docx|exe|gif|gz|h|htm|html|jar|java|jpeg|jpg"
    "|mov|mp3|pdf|php|pl|png|ppt|ps|py|sql|tar|txt|wav|x|xml|zip",
    # Phones, quotes, dots, faces.
    "phone": "(\\( [0-9]{2,3} \\) [ \u00a0]? | (\\+\\+?)? ([0-9]{2,4} [\\- \u00a0])?"
    " [0-9]{2,4} [\\- \u00a0]) [0-9]{3,4} [\\- \u00a0]? [0-9]{3,5}"
    " | ((\\+\\+?)? [0-9]{2,4} \\.)? [0-9]{2,4} \\. [0-9]{3,4} \\. [0-9]{3,5}",
    "double_quote": '["] | &quot;',
    "quotes": "<apos> | '' | [`\u2018-\u201f\u0091-\u0094\u2039\u203a\u00ab\u00bb]{1,2}",
    "face": "[<>]? [:;=] [\\-o*']? [()DPdpO\\\\{@|\\[\\]]",
    "far_face": "[\\^x=~<>] \\. \\[^x=~\\<>] | [\\-^x=~<>'] _ [\\-^x=~<>']"
    " | \\( [\\-^x=~<>'] [_.]? [\\-^x=~<>'] \\) | \\( [\\^x=~<>'] \\- [\\^x=~<>'`] \\)",
}
"""Named parts of the patterns: other patterns, or classes of characters."""

_QUOTES = {
    **dict.fromkeys("\u0091\u2018\u201b\u2039", "`"),
    **dict.fromkeys("\u0092\u2019\u203a", "'"),
    **dict.fromkeys("\u0093\u201c\u00ab", "``"),
    **dict.fromkeys("\u0094\u201d\u00bb", "''"),
}
_MONEY = {"\u00a2": "cents", "\u00a3": "#", **dict.fromkeys("\u0080\u00a4\u20a0\u20ac", "$")}
_FRACTIONS = {"\u00bc": "1/4", "\u00bd": "1/2", "\u00be": "3/4", "\u2153": "1/3", "\u2154": "2/3"}
_ROUND = {"(": "-LRB-", ")": "-RRB-"}
_BRACKETS = {"{": "-LCB-", "}": "-RCB-", "[": "-LSB-", "]": "-RSB-", **_ROUND}


def _keep(text: str) -> str:
    return text


def _drop(text: str) -> str:  # noqa: ARG001 - one form for all
    return ""


def _soft(text: str) -> str:
    """Soft hyphens only mark where a line may be broken."""
    return text.replace("\u00ad", "") or "-"


def _quote(text: str, single: str, double: str) -> str:
    text = re.sub("&apos;|'", single, text)
    text = re.sub('"|&quot;', double, text)
    return "".join(_QUOTES.get(char, char) for char in text)


def _opening(text: str) -> str:
    return _quote(text, "`", "``")


def _closing(text: str) -> str:
    return _quote(text, "'", "''")


def _ampersand(text: str) -> str:
    return re.sub("&amp;", "&", text, flags=re.IGNORECASE)


def _bound(text: str) -> str:
    """Spaces inside of a token become unbreakable."""
    return text.replace(" ", "\u00a0")


def _tag(text: str) -> str:
    return re.sub("[ \r\n]", "\u00a0", text)


def _round(text: str) -> str:
    return "".join(_ROUND.get(char, char) for char in text)


def _dashes(text: str) -> str:
    return "--" if 3 <= len(text) <= 4 else text


RULES: tuple[tuple[str, Write, int], ...] = (
    # Pattern, how it is written, how many characters at its end begin the next token.
    ("c\\+\\+ | (c|f)\\#", _keep, 0),
    ("cannot | 'twas", _keep, 3),
    ("'tis | gonna | gotta | lemme | gimme | wanna", _keep, 2),
    ("<tag>", _tag, 0),
    ("&(md|mdash|ndash); | [\u0096\u0097\u2013\u2014\u2015]", lambda _: "--", 0),
    ("&amp;", _ampersand, 0),
    ("&(ht|tl|ur|lr|qc|ql|qr|odq|cdq|\\#[0-9]+);", _keep, 0),
    ("<word> / <clitic>", _soft, 0),
    ("<before_not> / <not>", _soft, 0),
    ("<word>", _soft, 0),
    (
        "<apos>n(<apos>)? | [lLdDjJ](<apos>) | (dunkin|somethin|ol)(<apos>) | (<apos>)em"
        "| [A-HJ-XZn](<apos_like>)<alpha><alpha><alpha>* | (<apos>)[2-9]0s | (<apos>)till?"
        "| <alpha>+[aeiouyAEIOUY](<apos_like>)[aeiouA-Z]<alpha>* | (<apos>)cause | cont'd\\.?"
        "| nor'easter | c'mon | e'er | s'mores | ev'ry | li'l | nat'l | o(<apos_like>)o",
        _keep,
        0,
    ),
    ("y(<apos>) / <alpha>", _keep, 0),
    ("https?:\\/\\/<in_address>+<ends_address>", _keep, 0),
    (
        "(www\\.(<label>+\\.)+[a-zA-Z]{2,4} | (<plain_label>+\\.)+(com|net|org|edu)) (<path>)?",
        _keep,
        0,
    ),
    (
        "(&lt;|\\<)?[a-zA-Z0-9]"
        '[^ \t\n\u000c\r"<>|()\u00a0{}]*@([^ \t\n\u000c\r"<>|(){}.\u00a0]+\\.)*'
        '[^ \t\n\u000c\r"<>|(){}.\u00a0]+(&gt;|>)?',
        _keep,
        0,
    ),
    ("@[a-zA-Z_][a-zA-Z_0-9]* | \\#<letter>+", _keep, 0),
    ("<clitic> / [^A-Za-z]", _closing, 0),
    ("<not> / [^A-Za-z]", _closing, 0),
    ("<d>{1,2}[\\-/]<d>{1,2}[\\-/]<d>{2,4}", _keep, 0),
    ("<number>", _soft, 0),
    (
        "[\u207a\u207b\u208a\u208b]?([\u2070\u00b9\u00b2\u00b3\u2074-\u2079]+|[\u2080-\u2089]+)",
        _keep,
        0,
    ),
    ("(<d>{1,4}[- \u00a0])?<d>{1,4}(<slash>|\u2044)<d>{1,4}", _bound, 0),
    ("[\u00bc\u00bd\u00be\u2153-\u215e]", lambda text: _FRACTIONS.get(text, text), 0),
    (
        "\\-(rrb|lrb|rcb|lcb|rsb|lsb)\\- | c\\.d\\.s | pro\\- | anti\\- | s(&|&amp;)p\\-500"
        "| s(&|&amp;)ls | cap(<apos>)n | c(<apos>)est",
        _ampersand,
        0,
    ),
    ("<slashed> (<slash> <slashed>){1,2}", _keep, 0),
    ("[A-Z]*$ | \\#", _keep, 0),
    (
        "[\u00a2\u00a3\u00a4\u00a5\u0080\u20a0\u20ac\u060b\u0e3f\u20a4\uffe0\uffe1\uffe5\uffe6]",
        lambda text: _MONEY.get(text, text),
        0,
    ),
    # A letter with a stop at the end of a sentence is no abbreviation.
    ("[A-Za-z]\\. / <gap>+(<opener>|<tag>)<gap>", _keep, 1),
    ("(<dotted>)\\. / <gap>+(<opener>|<tag>)<gap>", _keep, 0),
    ("(<before_number>)\\. / (<gap>)?<d>", _keep, 0),
    ("(pt[eyEY]|co)\\. / <sp>(ltd|lim)", _keep, 0),
    ("(<ends_short>)\\. / [^][^]", _keep, 0),
    ("(<ends_short>|<begins_short>)\\.", _keep, 0),
    ("(<dotted>) / <gap>", _keep, 0),
    ("(<apos>)[0-9][0-9] / <gap>", _keep, 0),
    ("(<letter>|<d>)+ (\\. (<letter>|<d>)+)* \\.(<extension>) / (<gap>|[.?!,])", _keep, 0),
    ("<word>\\. / <inner_stop>", _soft, 0),
    ("<phone>", lambda text: _round(_bound(text)), 0),
    ("(<double_quote>) / [A-Za-z0-9$]", _opening, 0),
    ("<double_quote>", _closing, 0),
    ("\u007f", _drop, 0),
    ("\\< | &lt;", lambda _: "<", 0),
    ("> | &gt;", lambda _: ">", 0),
    ("<face> / [^A-Za-z0-9]", _round, 0),
    ("<far_face>", _round, 0),
    ("[{}()\\[\\]]", lambda text: _BRACKETS[text], 0),
    ("\\-+", _dashes, 0),
    ("\\.{3,5} | [\u0085\u2026] | (\\.[ \u00a0]){2,4}\\.", lambda _: "...", 0),
    ("@+ | \\#+ | _+", _keep, 0),
    ("\\*+ | (\\\\\\*){1,3}", _keep, 0),
    ("<inner_stop>", _keep, 0),
    ("[?!]+", _keep, 0),
    ("[.\u00a1\u00bf\u037e\u0589\u061f\u06d4\u0700-\u0702\u07fa\u3002]", _keep, 0),
    ("=", _keep, 0),
    ("\\/", _keep, 0),
    ("<hyphened>\\. / <inner_stop>", _soft, 0),
    ("<hyphened>", _soft, 0),
    ("<thing>\\. / <inner_stop>", _keep, 0),
    ("<thing>", _keep, 0),
    ("<capitals>\\. / <inner_stop>", _ampersand, 0),
    ("<capitals>", _ampersand, 0),
    ("' / [A-Za-z][^ \t\n\r\u00a0]", _opening, 0),
    ("<clitic>", _closing, 0),
    ("<quotes>", _closing, 0),
    ("\\<\\< | >>", _keep, 0),
    ("<symbol>", _keep, 0),
    ("<gap>+ | &nbsp;", _drop, 0),
)
"""Every rule; where none fits, a character is dropped."""
