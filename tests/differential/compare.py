# SPDX-License-Identifier: MIT
"""What two brokers answered to the same script: the differences, and the rules that explain them.

The order of what one client received counts within a topic and QoS class, and within the answers of
one kind; everything else may be in any order [MQTT-4.6.0-5].
"""
import difflib
import itertools
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

EXPLAINED = Path(__file__).with_name("explained.toml")
NOTHING = "-"


@dataclass
class Difference:
    """One packet that only one broker sent, or that they sent differently."""
    number: int
    step: str
    client: str
    version: int
    ours: str
    theirs: str

    def __str__(self):
        return (f"step {self.number} ({self.step})\n"
                f"    {self.client} (version {self.version}) got\n"
                f"      ours:   {self.ours}\n      theirs: {self.theirs}")


@dataclass
class Rule:
    """A class of differences that the specification allows, or where the other broker is wrong.
    Each pattern has to match from the first character to the last; `both` is tried on our line and
    theirs with " | " between. After a difference that `diverges` the two brokers know different
    things, so the rest of the script says nothing."""
    name: str
    clause: str
    why: str
    step: str = ".*"
    ours: str = NOTHING
    theirs: str = NOTHING
    both: str = ""
    versions: tuple = (3, 4, 5)
    diverges: bool = False
    used: int = 0

    def explains(self, difference):
        if difference.version not in self.versions:
            return False
        tests, both = [(self.step, difference.step)], f"{difference.ours} | {difference.theirs}"
        if self.both:
            tests.append((self.both, both))
        else:
            tests += [(self.ours, difference.ours), (self.theirs, difference.theirs)]
        return all(re.fullmatch(pattern, text) for pattern, text in tests)


def load_rules(path=EXPLAINED):
    with open(path, "rb") as file:
        return [Rule(**one) for one in tomllib.load(file).get("rule", [])]


PUBLISH = re.compile(r"PUBLISH (\S+) ('[^']*') qos=(\d) retain=(\d) dup=(\d)(.*)")
IDENTIFIERS = re.compile(r" subscription_identifier=\[([^]]*)\]")


def _group(line):
    """Order is promised for one publisher, topic and QoS at which it was published
    [MQTT-4.6.0-5]. Publishers are not told apart, but a will and a message are."""
    words = line.split(" ")
    if words[0] != "PUBLISH":
        return tuple(words[:3]) if words[0] == "PUBREL" else (words[0],)
    letter, _, qos = words[2].strip("'").partition(".")
    return ("PUBLISH", words[1], letter[:1], qos)


def _key(line):
    """What a line of ours and one of theirs have in common when they are about the same thing."""
    words = line.split(" ")
    return tuple(words[:3]) if words[0] == "PUBLISH" else words[0]


def _sections(lines):
    """Each connection's share of the lines: within it, order is judged."""
    sections = [[]]
    for line in lines:
        if line.endswith("connection:"):
            sections.append([])
        else:
            sections[-1].append(line)
    return sections


def _groups(section):
    groups = {}
    for line in section:
        groups.setdefault(_group(line), []).append(line)
    for name, lines in groups.items():
        if name[0] == "PUBLISH":   # QoS 0 and the others may overtake each other
            lines.sort(key=lambda line: " qos=0 " in line)
    return groups


def _identifiers(line):
    found = IDENTIFIERS.search(line)
    return found[1].split(", ") if found else []


def _merge(one, other):
    """The single PUBLISH that stands for both: at the highest QoS, with all the identifiers
    [MQTT-3.3.4-2]."""
    one_parts, other_parts = PUBLISH.fullmatch(one), PUBLISH.fullmatch(other)
    topic, payload, *_, rest = one_parts.groups()
    qos, retain = (max(one_parts[number], other_parts[number]) for number in (3, 4))
    identifiers = sorted(_identifiers(one) + _identifiers(other), key=int)
    shown = f" subscription_identifier=[{', '.join(identifiers)}]" if identifiers else ""
    return (f"PUBLISH {topic} {payload} qos={qos} retain={retain} dup=0"
            f"{IDENTIFIERS.sub('', rest)}{shown}")


def _identifiers_last(line):
    found = IDENTIFIERS.search(line)
    return IDENTIFIERS.sub("", line) + found[0] if found else line


def _plain(lines):
    """Ours, where each message has to come once. PUBREL says too little to be counted."""
    plain = [_identifiers_last(line) for line in lines]
    return [line for number, line in enumerate(plain)
            if not (line.startswith("PUBREL of ") and line in plain[:number])]


def _merged(lines):
    """One copy of a message instead of one for each subscription that it matched."""
    merged, places = [], {}
    for line in map(_identifiers_last, lines):
        found = PUBLISH.fullmatch(line)
        is_copy = found is not None and found[5] == "0"
        key = found.group(1, 2) if is_copy else line
        if key in places and is_copy:
            merged[places[key]] = _merge(merged[places[key]], line)
        elif key not in places or not line.startswith("PUBREL of "):
            places[key] = len(merged)
            merged.append(line)
    return merged


def _without_common(ours, theirs):
    """Retained messages and live ones may overtake each other."""
    ours, theirs = list(ours), list(theirs)
    for line in [line for line in ours if " retain=1 " in line]:
        if line in theirs:
            ours.remove(line)
            theirs.remove(line)
    return ours, theirs


def _pairs(ours, theirs):
    """Lines that belong together and differ; NOTHING stands for what one side does not have."""
    ours, theirs = _without_common(ours, theirs)
    if len(ours) == len(theirs):
        yield from (pair for pair in zip(ours, theirs) if pair[0] != pair[1])
        return
    matcher = difflib.SequenceMatcher(None, [_key(line) for line in ours],
                                      [_key(line) for line in theirs], autojunk=False)
    for _, ours_from, ours_to, theirs_from, theirs_to in matcher.get_opcodes():
        yield from (pair for pair in itertools.zip_longest(
            ours[ours_from:ours_to], theirs[theirs_from:theirs_to], fillvalue=NOTHING)
            if pair[0] != pair[1])


def _compare(ours, theirs):
    """Pairs of different lines that one client got in one step."""
    for here, there in itertools.zip_longest(_sections(ours), _sections(theirs), fillvalue=[]):
        here, there = _groups(here), _groups(there)
        for name in sorted(here.keys() | there.keys()):
            yield from _pairs(here.get(name, []), there.get(name, []))


class _Witness:
    """What is known of a client from the steps so far."""

    def __init__(self):
        self.version, self.filters = 0, set()

    def see(self, step):
        if step.kind == "connect":
            self.version = step.arguments["version"]
        if step.kind == "subscribe":
            self.filters |= {one.filter for one in step.arguments["subscriptions"]}

    def shares(self):
        return any(one.startswith("$share/^") for one in self.filters)


def differences(steps, ours, theirs):
    """Every difference, in order. mosquitto sends a copy for each subscription that matches; ours
    has to send a single one, except that a shared subscription gets its own."""
    witnesses = {}
    for number, (step, here, there) in enumerate(zip(steps, ours, theirs)):
        witnesses.setdefault(step.client, _Witness()).see(step)
        for client in sorted(here.keys() | there.keys()):
            lines, other_lines = here.get(client, []), there.get(client, [])
            witness = witnesses.get(client, _Witness())
            # Retained messages do come once for each filter.
            if step.kind != "subscribe" and len(witness.filters) > 1:
                other_lines = _merged(other_lines)
                lines = _merged(lines) if witness.shares() else _plain(lines)
            for pair in _compare(lines, other_lines):
                yield Difference(number, str(step), client, witness.version, *pair)


def unexplained(steps, ours, theirs, rules):
    """The differences of the first step that has one without a rule; counts in `used` what each
    rule explained."""
    for _, group in itertools.groupby(differences(steps, ours, theirs), lambda one: one.number):
        left, diverged = [], False
        for difference in group:
            rule = next((rule for rule in rules if rule.explains(difference)), None)
            if rule is None:
                left.append(difference)
            else:
                rule.used += 1
                diverged = diverged or rule.diverges
        if left:
            return left
        if diverged:
            return []
    return []
