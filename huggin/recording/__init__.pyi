from .callback import RecorderCallback as RecorderCallback
from .known_windows import KnownWindows as KnownWindows
from .reader import Recording as Recording
from .recorder import Recorder as Recorder
from .recorder import track as track
