# SPDX-License-Identifier: MIT
"""An ACL file that a running broker reads again and again."""
import signal

READ_AGAIN = r"configuration read again"
NOT_READ_AGAIN = r"configuration not read again"
# For the fences of tests/wire/client.py: everybody may.
FENCES = "pattern readwrite wire-fence/#\n"


class Rules:
    """The file at `path`, by user. `broker` is set once it runs."""

    def __init__(self, path):
        self.path, self.broker, self.sections = path, None, {}
        self.write()

    def text(self):
        return FENCES + "".join(f"user {user}\n" + "".join(f"topic {line}\n" for line in lines)
                                for user, lines in self.sections.items())

    def write(self, text=None):
        self.path.write_text(self.text() if text is None else text)

    def read_again(self, expected=READ_AGAIN):
        """SIGHUP; returns when the broker has said what became of it."""
        position = self.broker.log_position()
        self.broker.signal(signal.SIGHUP)
        return self.broker.wait_for_log(expected, start=position)

    def set(self, **sections):
        """These users have these lines from now on; None: no section."""
        for user, lines in sections.items():
            self.sections.pop(user, None)
            if lines is not None:
                self.sections[user] = list(lines)
        self.write()
        self.read_again()
