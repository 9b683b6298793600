"""The running digest of one stream in one direction, over message boundaries.

After message m_i the digest is d_i = SHA-256(d_{i-1} ‖ SHA-256(m_i)), from d_0 = 32 zero bytes. Sender and receiver
compute it independently; pieces and connections leave no trace in it.
"""

import hashlib

from hanse.core.frames import Body


class Transcript:
    """Digest of all messages that went one way on one stream; `offset` is their total size in bytes so far."""

    def __init__(self) -> None:
        self.offset = 0
        self.messages = 0
        self.digest = bytes(32)
        self.message_bytes = 0
        self._message = hashlib.sha256()

    def add(self, body: Body, *, final: bool) -> None:
        """Take the next piece; a final one ends its message and moves `digest`."""
        self._message.update(body)
        self.offset += len(body)
        self.message_bytes += len(body)
        if final:
            self.digest = hashlib.sha256(self.digest + self._message.digest()).digest()
            self.messages += 1
            self.message_bytes = 0
            self._message = hashlib.sha256()
