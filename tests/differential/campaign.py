# SPDX-License-Identifier: MIT
"""Seeds in, reports out: plays a script on both brokers, compares, and shortens what fails."""
from compare import load_rules, unexplained
from player import Player
from script import generate
from shrink import shrink


class Campaign:
    """Scripts played one after the other against the same two brokers."""

    def __init__(self, our_port, their_port, rules=None):
        self.our_port, self.their_port = our_port, their_port
        self.rules = load_rules() if rules is None else rules

    def play(self, steps):
        return Player(self.our_port).play(steps), Player(self.their_port).play(steps)

    def judge(self, steps):
        return unexplained(steps, *self.play(steps), self.rules)

    def try_seed(self, seed):
        """None, or a report with the shortest script that fails as this one does."""
        steps = generate(seed)
        if not self.judge(steps):
            return None
        used = [rule.used for rule in self.rules]
        steps = shrink(steps, self.judge)
        left = self.judge(steps)
        for rule, count in zip(self.rules, used):
            rule.used = count
        if not left:
            return f"seed {seed}: differs, but not each time it is played"
        lines = [f"seed {seed}: a difference that no rule explains. The script:"]
        lines += [f"  {number} {step}" for number, step in enumerate(steps)]
        return "\n".join(lines + [f"  {difference}" for difference in left])

    def transcript(self, seed):
        steps = generate(seed)
        lines = []
        for number, (step, *seen) in enumerate(zip(steps, *self.play(steps))):
            lines.append(f"{number} {step}")
            for whose, clients in zip(("ours", "theirs"), seen):
                lines += [f"    {whose:6} {client}: {line}"
                          for client, received in clients.items() for line in received]
        return "\n".join(lines)
