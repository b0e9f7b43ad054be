"""Tuning: many training runs whose settings Optuna chooses, by workers on one machine or on several."""
