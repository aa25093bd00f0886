"""Strict fakes of the services that the gateway talks to, over real sockets.

Nothing here imports the product: what a fake believes of the wire comes from the recordings and references alone.
"""
