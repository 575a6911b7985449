from .asking.answering import TrainedModel as TrainedModel
from .asking.answering import ask as ask
from .asking.comparing import compare as compare
from .asking.examination import Examination as Examination
from .asking.examination import examine as examine
from .asking.rewinding import rewind as rewind
from .asking.suspects import suspects as suspects
from .asking.teachers import teachers as teachers
from .graphs.kinds import figures as figures
from .lime.pictures.explaining import explain_picture as explain_picture
from .lime.words.answer import explain_answer as explain_answer
from .pages.pack import pack as pack
from .pages.page import page as page
from .pages.pdf import pdf as pdf
from .recording.callback import RecorderCallback as RecorderCallback
from .recording.reader import Recording as Recording
from .recording.recorder import Recorder as Recorder
from .recording.recorder import track as track

__version__: str
