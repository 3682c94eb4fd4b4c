"""Lungs: reading frontal chest radiographs. Start with :mod:`lung_models.reader`."""
