"""Sets up other programs as clients of the gateway; what ``dragoman connect APP`` does.

What a program needs is data: ``apps/NAME.toml``, read by ``catalogue``, one file a program. From
it ``wording`` makes what is printed and what stands on the pages of ``docs/clients``, ``editing``
makes the new text of the program's own settings file, in ``jsonc`` or YAML, and ``files`` writes
it so that it can be taken back.

Nothing here is imported while the gateway runs.
"""
