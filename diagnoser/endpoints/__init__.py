"""From an error block to what can be probed: endpoints with their derivation, recognised rows.

``mentions`` and ``prose`` find where a block names a host, ``hosts`` decides whether the text is
one, ``derivation`` makes endpoints of the mentions, ``recognition`` looks the error itself up,
``sentences`` knows a message that was pasted without its block. All of it is pure.
"""

from diagnoser.endpoints.derivation import derive
from diagnoser.endpoints.recognition import recognise
from diagnoser.endpoints.sentences import read_sentences

__all__ = ["derive", "read_sentences", "recognise"]
