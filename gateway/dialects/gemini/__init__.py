"""Gemini's dialect: towards Code Assist requests are written and answers read, whatever model stands behind it."""
