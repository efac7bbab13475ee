"""Bulk imports from Excel: any slice brings a kind, the rest is here.

A workbook is uploaded, kept sealed, and worked through by a job, 200 rows a transaction, so
that progress can be watched and a crash costs the chunk in hand. Rows that cannot be taken
come back in a workbook with their reasons. The same file again changes nothing.
"""
