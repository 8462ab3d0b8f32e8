"""What is learnt: the loss, the prediction and the metrics of one problem."""
