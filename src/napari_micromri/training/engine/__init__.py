"""What learns: batches, losses, optimisation, the state of a run, and the loop. The rooms here import torch."""
