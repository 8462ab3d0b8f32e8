"""What is learnt: the loss, the prediction and the metrics of one problem."""

from lrcn.tasks.activity import ActivityTask
from lrcn.tasks.captioning import CaptioningTask

TASKS = {"activity": ActivityTask, "caption": CaptioningTask}
"""Name of a task → its class."""
