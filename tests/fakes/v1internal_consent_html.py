"""The markup of the consent pages: plain forms, and everything that was sent shown as text."""

from __future__ import annotations

from html import escape

STYLE = "body{font:16px sans-serif;max-width:28rem;margin:4rem auto}button{font:inherit;margin:.3rem;padding:.5rem}"


def safe(text: str) -> str:
    """Write a text so that it is no markup."""
    return escape(text)


def button(name: str, value: str, text: str) -> str:
    """Write a button that sends a value."""
    return f'<button name="{name}" value="{safe(value)}">{safe(text)}</button>'


def form(action: str, number: str, *inside: str) -> str:
    """Write a form that belongs to a request."""
    kept = f'<input type="hidden" name="request" value="{safe(number)}">'
    return f'<form method="post" action="{action}">{kept}{"".join(inside)}</form>'


def page(title: str, body: str) -> str:
    """Write a whole page."""
    head = f'<meta charset="utf-8"><title>{safe(title)}</title><style>{STYLE}</style>'
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head><body>{body}</body></html>\n'
