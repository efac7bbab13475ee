"""One outbox for everything that tells a person something.

`tell` writes messages in the transaction of the fact; `routing` decides where each goes
besides the app, `deliveries` and the channels bring it there, `live` shows it in open apps.
"""
