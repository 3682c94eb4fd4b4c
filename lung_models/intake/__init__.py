"""A labelled set comes in: files of any common layout -> what can be learnt from, and every problem with its file.

The order is: :mod:`layouts` says what is what without opening a picture, :mod:`examine` decodes and judges every one
as a reading would, :mod:`split` deals patients into three parts, :mod:`frozen` writes the set so that it never changes.
"""
