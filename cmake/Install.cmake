# Filled by install rules.
