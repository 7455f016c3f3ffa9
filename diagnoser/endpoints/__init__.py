"""From an error block to what can be probed: endpoints with their derivation, recognised rows.

``mentions`` and ``prose`` find where a block names a host, ``hosts`` decides whether the text is
one, ``derivation`` makes endpoints of the mentions, ``recognition`` looks the error itself up. All
of it is pure.
"""

from diagnoser.endpoints.derivation import derive
from diagnoser.endpoints.recognition import recognise

__all__ = ["derive", "recognise"]
