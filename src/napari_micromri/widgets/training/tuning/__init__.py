"""The tab "Tune": search for the best settings of a training with many short trainings in the background.

*Tuning* is the search and its folder, *study* the pairs of scans that it learns from.
"""
