from .callback import RecorderCallback as RecorderCallback
from .reader import Recording as Recording
from .recorder import Recorder as Recorder
from .recorder import track as track
