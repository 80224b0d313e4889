# SPDX-License-Identifier: MIT
"""What a broker counts as refused and dropped, and what it says about it in its log."""
import re

from client import TimedOut, eventually
from mqtt import Publish

COUNTED = ("$SYS/broker/refused/#", "$SYS/broker/dropped/#")


class Watcher:
    """Sees what the broker counts as refused and dropped. A broker of its own counts from 0."""

    def __init__(self, client):
        self.client, self.counts = client, {}
        client.subscribe(*COUNTED)

    def expect(self, wanted):
        """Exactly these are not 0, by the last level of their topic."""
        self._read_until(lambda: self.counts == wanted, wanted)

    def expect_among_others(self, **wanted):
        """These too; an underscore is a space, and all are below "refused"."""
        wanted = {f"refused/{name.replace('_', ' ')}": count for name, count in wanted.items()}
        self._read_until(lambda: wanted.items() <= self.counts.items(), wanted)

    def _read_until(self, check, wanted):
        def look():
            if check():
                return True
            try:
                packet = self.client.expect(Publish)
            except TimedOut:
                raise AssertionError(f"wanted {wanted}, counted {self.counts}") from None
            self.counts[packet.topic.split("/", 2)[2]] = int(packet.payload)
            self.counts = {name: count for name, count in self.counts.items() if count}
            return False
        eventually(look, f"{wanted} counted, not {self.counts}")


def expect_line(broker, sentence, **fields):
    """A log line that says this, with these fields; a value may end in "..."."""
    wanted = [sentence]
    for name, value in fields.items():
        text = str(value)
        wanted.append(rf"{name}=\"?" + re.escape(text.removesuffix("...")))
    return broker.wait_for_log(".*".join(wanted))


def refused(connect, reason, port, version, client_id="guest", source=None, **fields):
    """CONNECT is answered with this reason, or the return code of 3.x."""
    client = connect(version, client_id, port=port, connect=False, source=source)
    client.send_connect(**fields)
    client.expect_refused(reason)
