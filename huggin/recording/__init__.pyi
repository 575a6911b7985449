from .callback import RecorderCallback as RecorderCallback
from .reader import Recording as Recording
from .recorder import Recorder as Recorder
from .samples import track as track
