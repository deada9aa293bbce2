"""Words of movement: down, up, moved at all, and not at all."""

from __future__ import annotations

import re
from typing import Final

DOWN_VERBS: Final = (
    r"f[ae]ll(?:s|en|ing)?|drop(?:s|ped|ping)?|declin(?:e[sd]?|ing)|decreas(?:e[sd]?|ing)|dip(?:s|ped|ping)?|s[iau]nk(?:s|ing)?|slump(?:s|ed|ing)?|plung(?:e[sd]?|ing)|"
    r"plummet(?:s|ed|ing)?|collaps(?:e[sd]?|ing)|tumbl(?:e[sd]?|ing)|sl(?:id(?:es?|ing)?)|shr[iau]nk(?:s|ing|en)?|crash(?:es|ed|ing)?|slip(?:s|ped|ping)?|nosedive[sd]?|"
    r"dwindl(?:e[sd]?|ing)|contract(?:s|ed|ing)|ebb(?:s|ed|ing)?|diminish(?:es|ed|ing)?|halv(?:e[sd]?|ing)|deteriorat(?:e[sd]?|ing)|dove|dived|ceased|vanished|dried up|stopped(?=[.,;]|$| at\b| since\b)"
)
UP_VERBS: Final = (
    r"r[io]se[sn]?|rising|climb(?:s|ed|ing)?|increas(?:e[sd]?|ing)|jump(?:s|ed|ing)?|gr[eo]w(?:s|n|ing)?|soar(?:s|ed|ing)?|spik(?:e[sd]?|ing)|surg(?:e[sd]|ing)|surge in|surge of (?=§)|"
    r"leap(?:s|t|ed|ing)?|swell(?:s|ed|ing)?|swollen|balloon(?:s|ed|ing)?|mount(?:s|ed|ing)|doubl(?:e[sd]|ing)|tripl(?:e[sd]|ing)|trebl(?:e[sd]|ing)|quadrupl(?:e[sd]|ing)|"
    r"rocket(?:s|ed|ing)?|shot up|shoot(?:s|ing)? up|exceed(?:s|ed|ing)?|escalat(?:e[sd]?|ing)|skyrocket(?:s|ed|ing)?|multiplied|rocketed"
)
VERBS: Final = f"{DOWN_VERBS}|{UP_VERBS}"
DOWN_NOUNS: Final = r"drop|fall|declines?|decreases?|dip|slump|plunge|collapse|reduction|slide|loss|shrinkage|deterioration|crash|fall-off|drop-off|shortfall"
UP_NOUNS: Final = r"rise|increases?|jump|growth|spike|climb|gain|uptick|upswing|hike|escalation|surge"
NOUNS: Final = f"{DOWN_NOUNS}|{UP_NOUNS}"
DOWN_SHAPES: Final = r"lower(?:ed)?|reduced|fewer|less|smaller|down|diminished|depressed|beneath|below|shy of|short of|falling|dropping|shrinking|sinking|lost|losing|loses|shorter|under(?= (?:the(?! new| old| same| former| previous)|its|what|their|normal|expect|usual|par|§))"
UP_SHAPES: Final = r"higher|more|larger|bigger|elevated|raised|inflated|above|up(?! to\b)|rising|climbing|growing|beyond|longer|added|extra|in excess of|over(?= (?:the (?:expected|normal|usual|top)|its|what|normal|expect|usual))"
SLOWER: Final = r"slow(?:er|ed|ing|s)?(?: down)?|laggy|lag|lagging|sluggish"
FASTER: Final = r"fast(?:er)?|quicker|sped up|speedier|snappier"
MOVING: Final = f"{VERBS}|{NOUNS}|down|up|went|moved|changed|shifted"
_ADVERBS: Final = r"(?:\w+ly |just |also |now |still |all |so |much |far |well |even |very |too |quite |any |in any way |at all )*"
_IDLE: Final = (
    r"(?:has|have|had) added|(?:no more|more|less|fewer) than(?! (?:the |its )?(?:usual|expected|normal|before|what|ever))|(?:higher|lower) than(?= \d)|more or less|up to|no longer|not only|once more|more likely|less likely|more often than not|any more|"
    r"(?:look|looked|back|back it|keep|follow|set|clean|wake|speed|warm|make|makes|pick|catch|end|add|adds|took|take|takes|free|freed|filled?|fills the cache|filling|fill the cache|show|shows|mix|open|hold|holds|break|build|line|lines|dug|sum) up|"
    r"up and running|go(?:es)? down as|shut down|break down|narrow(?:s|ed)? down|track(?:s|ed)? down|slow query|slow queries|one more|some more|what is more|"
    r"above all|see above|the above|below is|falls? (?:outside|within|into|in line)|fall(?:s|ing)? short|as fast as|at least|over time|over the|not less|growing list|"
    r"lower bound|upper bound|lower end|higher end|lower edge|upper edge|lower limit|upper limit|more detail|(?:is|are|was|were|been|being) added|wait(?:ed|ing|s)? .{0,24}?longer|crept up|creeps up|creeping up|further down|down the line|added waiting|extra (?:backend )?calls|added latency|extra latency|more evidence|once more"
)
IDLE: Final = re.compile(rf"\b(?:{_IDLE})\b")
"""Words that look like movement and are none."""

MOVES: Final = re.compile(
    rf"\b(?:(?P<down>{DOWN_VERBS}|{DOWN_NOUNS}|{DOWN_SHAPES})|(?P<up>{UP_VERBS}|{UP_NOUNS}|{UP_SHAPES})|(?P<slower>{SLOWER})|(?P<faster>{FASTER}))\b(?!-)"
)
STILL: Final = re.compile(
    rf"\b(?:unchanged|unaffected|untouched|unremarkable|undisturbed|steady|stable|constant"
    rf"|(?:as|at|about as|just as|near|close to|around|in line with|within|inside) (?:ever\b|(?:its |their |the )?(?:own )?(?:usual|expected|normal|expectations?|before|baseline|bounds|limits)(?: (?:levels?|values?|range|ranges|bounds|interval|limits|band))?)"
    rf"|as (?:high|low|many|much|large|fast|slow) as (?:ever|usual|expected|before)"
    rf"|(?:is|are|was|were|remain(?:s|ed|ing)?|stay(?:s|ed|ing)?|look(?:s|ed)?|kept|keeps|held|holding|holds|behav(?:es|ed|e|ing)|appear(?:s|ed)?|seem(?:s|ed)?) {_ADVERBS}(?:normal(?:ly)?|usual|fine|healthy|flat|level|put|ordinary|quiet|good|ok|okay|typical|where (?:it|they) (?:was|were|should be))"
    rf"|(?:not|never|n't|nor|neither|barely|hardly|scarcely) {_ADVERBS}(?:have |has |been |be |did |seen? |show(?:n|s|ed)? )?(?:any |a )?{_ADVERBS}(?:mov(?:e[sd]?|ing)|chang(?:e[sd]?|ing)|shift(?:ed|ing)?|react(?:ed)?|affected|deviat(?:e[sd]?|ing)|unusual|budge[sd]?|anomalous|abnormal)"
    rf"|(?:no|without|little) (?:\w+ )?(?:change|movement|deviation|difference|sign of change|shift|anomaly)|(?:with)?in (?:its |the |their )?(?:own )?(?:normal |usual |expected |typical )?(?:range|band)|nothing (?:unusual|abnormal|anomalous|out of the ordinary)|held|holds (?:steady|up|firm)|(?<=§ )(?:flat|level)|remain(?:s|ed) the same|stay(?:s|ed) the same|as usual|as ever)\b"
)
NEITHER: Final = re.compile(
    r"\b(?:neither|no|none of) (?P<these>[^;.:]{0,110}?) (?:has |have |is |are |was |were |did )?(?:ever |really |noticeably )?(?:chang\w+|mov\w+|shift\w*|react\w*|affected|unusual|anomalous|budge\w*|deviat\w+|f[ae]ll\w*|r[io]se\w*|dropped|increased|decreased|climbed)\b"
)
"""None of several things moved."""

MOVED: Final = re.compile(
    r"(?<!nothing )(?:(?<=§ )|(?<=§ has )|(?<=§ have ))changed\b(?! by)|\b(?:(?<!nothing )unusual|(?<!nothing )anomalous|(?<!nothing )abnormal|moved|deviat(?:e[sd]?|ing)|off (?:its|their) (?:usual|normal)|outside (?:of )?(?:its|their|the) (?:own )?(?:usual|normal|expected)|out of (?:its|their) (?:usual |normal )?range|affected|disturbed|irregular|out of the ordinary|reacted|shifted)\b"
)
NEGATION: Final = re.compile(
    r"(?:\b(?:not|never|no|without|neither|nor|hardly|barely|cannot|rather than|nothing|rules? out|ruled out|ruling out|exclud\w+|against)\b|n't\b)(?:[\w' ,-]|§|[\ue000-\uf8ff]){0,28}$"
)

LEVELS: Final = re.compile(
    r"\b(?:is|are|was|were|remain(?:s|ed)?|stay(?:s|ed)?|still|unusually|abnormally|too|very|so|been|comparatively|exceptionally) (?:\w+ly |still |very |too |quite )?(?:(?P<down>low|depressed|poor)|(?P<up>high|excessive))\b(?! (?:point|end|bound|confidence|enough|as))"
)
"""A level said to be low or high, which is where a movement led."""

RETURNED: Final = re.compile(
    r"\b(?:recover(?:ed|s|ing)?|(?:is|are|was|were|came|come|went|gone|got|fell|rose|climbed|dropped) back|returned|return(?:s|ing)? to|restored|normalis\w+|normaliz\w+)\b"
)
"""A level said to be back where it was, which supposes that it moved."""
