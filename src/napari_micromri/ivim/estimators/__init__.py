"""The estimators, one module each; torch comes with them."""
