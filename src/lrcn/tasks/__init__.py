"""What is learnt: the loss, the prediction and the metrics of one problem."""

from lrcn.tasks.activity import ActivityTask

TASKS = {"activity": ActivityTask}
"""Name of a task → its class."""
