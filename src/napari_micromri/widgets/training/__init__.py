"""The dock "Training and tuning": set a training up, watch it, compare runs. `dock` puts the parts together."""
