"""The words that an explanation is written in, so that a name, a host or a person stands out."""

from __future__ import annotations

from functools import lru_cache
from typing import Final


def words(text: str) -> frozenset[str]:
    """The words of a text, once each."""
    return frozenset(text.split())


_WORDS: Final = words("""
a about above absence absent accompanied according account accounts accumulate accumulated across act action active actual actually add added addition additional affect affected after again
against age ago agree agrees ahead alarm alert alike all allow almost alone along already also alternative although altogether always am among amount amounts an analysis and anomalous anomaly another answer answered answering any anything apart apparent
apparently appear appears application approximate approximately are area aren argue argues around arise arrive arrived arrives arriving as aside ask asked at attributable audit average averaging away back backend background bad
band barely base based baseline basis be became because become becomes been before began begin beginning begins begun behave behaves behaviour behavior behind being below beneath besides best better between beyond big bit blame both bottom bound brief
briefly bring brings broad broadly broken brought build built burst but by cache cached caches caching call called calls calm came can cannot capacity care carefully carries carry case cases cause caused causes causing caution certain certainly chance change
changed changes changing check checked checks clean clear clearly client clients climb close closely code cold collector come comes coming common compare compared comparing comparison complete completely concern concerned conclude conclusion concurrent condition confidence
confident configuration configured confirm confirmed confirms consequence consider considerable considerably consistent consists constant contain contents continue continued continues contradict contradicts contrast contributes correlate corresponding corroborate cost costing costs
could couldn count counted counter counters counts course cover crept critical current currently curve cut cuts daily data database date day days dead deal decline decrease deep default degradation degraded degree delay delayed delays delivered demand departure depth
derived describe described despite detail details detect detected deviate deviation did didn differ difference different differently difficult digest dip direct direct directly disappear disruption distance distinct do does doesn doing dominant don done doubt down downward dramatic dramatically
drift drop dropped due duration during each earlier early easily effect effective effectively either elapsed element else elsewhere elevated emptied empty end ended ending engineer enough entire entirely entries entry episode equal equally error errors especially essentially estimate estimated
even event evenly ever every everything evict evicted evicts eviction evictions evidence exact exactly examine example exceed except excess expect expected expectation expectations experienced experiencing expire expired expires explain explained explaining explains explanation explanations extent extra extreme
extremely eye fact factor fail failed failing fails failure failures fairly fall fallen false far fast faster fault favour favor favours favors feature fell few fewer fifth figure figures fill filling filled find finding finds fine first firstly fit fits flag flagged flat fleet flush
following follows for force form format former found fraction frequent frequently fresh from full fully further furthermore gap gather gave general generally get gets getting give given gives giving go goes going gone good got gradual gradually great greater ground group grow growing grown growth
had half hand happen happened happening happens hard hardly has hasn have haven having he healthy heavily heavy held help helps hence here high higher highest highly hint hints hit hits hold holding holds hour hourly hours how however idea if immediate immediately impact impacted implies imply
important improve improved in incident incidents include includes including incoming increase increased indeed indicate indicated indicates indicating indication individual inform information initial initially inside inspect instance instead interval into investigate involved is isn issue it item items its itself judge judged
just keep keeping keeps kept key keys kind known lag large largely larger largest last lasted lasting lasts late lately latency latencies later latest lead leading leads learn learned learning learnt least leave leaves leaving led left length less let level levels lie lies life like likelihood likely limit limited limits line list
little live load local log logs long longer longest look looked looking lookup lookups looks lose losing loss lost lot low lower lowered lowest made main mainly maintain major make makes making many marginal mark marked markedly match matched matches matching material materially matter may maybe me mean meaning means meant meanwhile
measure measured measurement median memory mere merely metric metrics might mild mind minimum minor minute minutes mismatch miss missed misses missing mixed moderate moment moments more moreover most mostly move moved movement moves moving much must name namely narrow natural near nearly necessary need needed needs negligible
neither never nevertheless new newly next no nobody none nor normal normally not note noted nothing notable notably now nowhere number numbers observation observations observe observed obtain obvious occur occurred occurs odd of off often old older on once one ones ongoing only onset onto open opened operation operations opposite or order ordinary
origin original other others otherwise our out outage outside over overall own pace part partial partially particular particularly partly past pattern patterns peak per percent percentage perfectly perform performance performs perhaps period persist persisted persisting persists person picture place plain plainly plausible plus point pointed pointing points
poor popular population portion position possibility possible possibly practically practice pre precisely predict predicted prediction prefix presence present presently presumably pretty prevent previous previously primarily primary prior probable probably problem problems process produce produced profile progress pronounced proper properly proportion
provide pure purely push pushed pushing put quarter question quick quickly quiet quite random range ranges rank ranked ranking rapid rapidly rare rarely rate rates rather ratio reach reached reaches read reading readings reads real really reason reasons recent recently record recorded recover recovered recovering recovers recovery reduce reduced reduction refer refill
refilling reflect reflects regain regard regular regularly reject related relative relatively release relevant remain remained remaining remains remarkable repeat repeated report reported reports request requested requests require resolve resolved resolves respond responded responding response rest result resulted resulting results retrieve return returned returning returns
reveal rise risen rises rising room rose rough roughly round route routes rule ruled rules run running runs same sample say says scale second seconds see seeing seem seemed seems seen sees sensible separate serious seriously serve served server serves service serving set sets setting several severe severity shape share shared shares sharp
sharply shift shifted short shorter shortly should show showed showing shown shows shrank shrink shrinking shrunk side sign signal signals significance significant significantly signs silence silent similar similarly simple simply since single sit sits situation size skewed slide slight slightly slip slow slower slowly small smaller smallest so solely some
somehow something sometimes somewhat soon sort source speak speaks speed spell spent spike split spread stable stage stale stalled stamp stand standing stands start started starting starts state stating statistical statistically status stay stayed staying stays steadily steady steep steeply step steps still stop stopped store stored strange strong stronger
strongest strongly structural struggle subject subset substantial substantially such sudden suddenly suffer suffered suffering suffers sufficient suggest suggested suggesting suggests suits sum summary support supported supporting supports supposed sure surge surplus suspect suspected sustained swing symptom symptoms system systems tail take taken takes taking tell tells
tenant tenants tend term terms test tested tests than that the their them themselves then there therefore these they thing things think third this those though three threshold through throughout throughput thus tied time times tiny to today together toll too took top total totals touch toward towards track traffic trend trending trigger triggered true trust
try turn turned twice two type typical typically unaffected uncertain unchanged unclear under underlying understand unexpected unique unit unknown unless unlike unlikely until untouched unusual unusually up upon upper upward us use used useful user using usual usually value values variation various vast verdict version very via view visible volume wait waited waiting
warm warning was wasn watch way we weak weaker week well went were weren what whatever when where whereas whereby whether which while who whole whose why wide wider widespread will window windows with within without won word work worked working works worse worsen worsened worsening worst worth would wouldn wrong yet you your zero
accelerating affects aged aging aligned amid anyway apply approach attention automatically backed balance behalf bigger breach capped causal chiefly churn coincide coincided coincides coinciding collapsed combined comparable compatible complaint component conclusive confined consequently considering continuing convincing correct crept decent definite definitely
demonstrates despite diagnosed diagnosis diverged doubled driven drives driving droop drove elevated emerge ended ensures equivalent establish evident evidently experience explicit failing faint fairly favour fetched fetches flagging flow flows forth fortunately frequency furthest genuine glance gradual halved halving hampered hovered hovering hundred hurt ideal identical
identified impaired impression inability inconsistent indistinguishable ineffective instantly intact intermittent kick lacking lasting later leaned leans lengthy loaded locate looming magnitude manner masks meaningful mid middle modest monitor monitoring multiple mutual narrowly negative nominal nonetheless notice noticeable noticeably notwithstanding occasional occurring outlier
overnight overwhelmingly owing pace pages paired peaked penalty persistent perturbed plateau plenty plummeted plunged pointedly positive potential precedes prefixes pressure prevailing prolonged prompt promptly pronounced puts questionable rebound rebounded rebuilt recompute reasonable reasonably reassuring reload repopulate repopulating responsible restore restored
resumed retained roughly seldom sequence settle settled settling severely shortage shrug sits sizeable sizable slump smooth solid sole somewhere spans specific stood straight stress strikingly stuck subsequent succeeded summarise summarize surprising swiftly symptomatic symptom tail tally telling thanks thereafter tight took topped toll trace transient tremendous trouble troughs
ultimately undergone undoubtedly uneven unhealthy unlikely unremarkable unstable unrelated urgent vanished varied variety verify visible warrants weigh weighs whenever wherever wholly widely widened wiped words worrying yield yields upshot bottomed outright afterwards altogether thereby therein hereby hits misses ten dozen thousand million hundred thousands hundreds
four cope copes absorb handle deserve load fetch churn thrash tolerate slowdown slowness speedup sharpness severity suddenness breadth fall-off upturn downturn shortfall magnitude consequence toll blip lull stretch streak span spans stint window-by-window intensity grew soared leapt plunged plummeted sank shot cumulative aggregate accumulated abrupt abruptly users
five six seven eight nine eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety fourth tenth thirds quarters halves double triple fold percentile points pp ms min sec hrs utc gmt am pm ttl ok okay
write written writing versus jump follow candidate hypothesis improvement space treat impossible year tumble slide creep dwindle sag decay surpass overshoot undershoot exceed sitting hold trail lie culprit budge norm heard hear caller pile distant bunch quick rest put news stem originate underlie tie
""")
_ENDINGS: Final = (
    ("ies", "y"), ("es", ""), ("s", ""), ("ing", ""), ("ing", "e"), ("ed", ""), ("ed", "e"), ("ied", "y"), ("er", ""), ("est", ""),
    ("ly", ""), ("ily", "y"), ("ally", "al"), ("ness", ""), ("n't", ""), ("'s", ""), ("'", ""), ("'re", ""), ("'ve", ""), ("'ll", ""), ("'d", ""),
)  # fmt: skip
_PLAIN_ENDINGS: Final = (
    "ly",
    "ing",
    "ed",
    "ward",
    "wards",
    "ive",
    "ous",
    "able",
    "ible",
    "ful",
    "less",
    "ical",
)


@lru_cache(maxsize=8192)
def is_word(word: str) -> bool:
    """Whether a word in lower case is one that an explanation of an incident is written in."""
    if word in _WORDS:
        return True
    return any(
        word.endswith(ending) and word[: len(word) - len(ending)] + instead in _WORDS
        for ending, instead in _ENDINGS
    )


def is_plain(word: str) -> bool:
    """Whether a word in lower case is at least no name: a known word, or one with the ending of an adverb or a verb."""
    return is_word(word) or (len(word) > 4 and word.endswith(_PLAIN_ENDINGS))


UNTOLD: Final = (
    r"deploy(?:ed|s|ment|ments|ing)?|redeploy\w*|roll(?:ed)?[- ]?outs?|rollback|rolled back|releases?|released|upgrad\w+|migrat\w+|patch(?:ed|es)?|hotfix|commit(?:s|ted)?|pull request|merge[ds]?|pipeline|config push|feature flag|"
    r"hosts?|hostnames?|nodes?|pods?|containers?|clusters?|shards?|regions?|zones?|data ?cent(?:er|re)s?|racks?|machines?|instances? [a-z]*\d|kernel|"
    r"engineers?|developers?|admins?|operators?|colleagues?|teams?|customers?|someone|somebody|vendors?|attackers?|hackers?|"
    r"cpus?|disks?|networks?|dns|packet loss|firewalls?|load balancers?|prox(?:y|ies)|garbage collect\w+|gc pauses?|threads?|connections? pools?|connections?|sockets?|queues?|bandwidth|swap|ram\b|memory leaks?|"
    r"replicas?|replication|failovers?|leaders? elections?|quorum|certificates?|tls|ssl|tokens?|credentials?|passwords?|secrets?|api keys?|"
    r"redis|memcached|valkey|kubernetes|k8s|docker|postgres\w*|mysql|mongo\w*|kafka|aws|azure|gcp|cloudflare|nginx|linux|"
    r"attack(?:s|ed)?|ddos|intrusion|breach(?:ed)?|malware|exploit\w*|vulnerab\w+|security|"
    r"maintenance|cron ?jobs?|batch jobs?|campaigns?|marketing|black friday|holidays?|weekends?|promotions?|sale\b|"
    r"timeouts?|timed out|retries|retry storms?|deadlocks?|locks?|queries|query|schema migrations?|index(?:es)?|bug(?:s|gy)?|typo|misconfigur\w+|"
    r"instructions?|prompt|system message|ignore (?:all|the|previous)|language model|as an ai|developer mode"
)
"""Things that no brief says of its own accord: claims about them cannot be checked, and stand only in advice."""

UNMEASURED: Final = (
    r"(?:refresh|fill|drop|loss|timeout|success|load|retry|conversion|request failure|churn|bounce|turnover|write|read|expiry|expiration|reject(?:ion)?|hit-miss|saturation|fault|page fault|insert|invalidation)[- ]rates?|"
    r"(?:cpu|memory|disk|network|heap|bandwidth|connection|thread|pool) (?:usage|utili[sz]ation|use|load|pressure|consumption|count)|utili[sz]ation|(?:queue|stack) (?:depth|length|size)|queue depth|"
    r"(?:write|read|network|disk|query|replication) (?:latency|lag|throughput|volume)|memory usage|key count|connection count|uptime|availability|apdex|success rate|bytes|megabytes|gigabytes|mb\b|gb\b|kb\b|qps|rps|tps|iops"
)
"""Metrics that a cache's windows do not hold."""
